namespace Narad.Kafka.Tests.Producing;

public sealed class MessageHeadersTests
{
    [Theory]
    [InlineData("")]
    [InlineData("trace\0id")]
    [Trait("Trap", "header-names-are-cut")]
    public void A_name_that_the_client_would_cut_is_refused(string name)
    {
        var headers = new MessageHeaders();
        headers.Invoking(h => h.Add(name, "value")).Should().Throw<ArgumentException>().Which.ParamName.Should().Be("name");
        headers.Count.Should().Be(0);
    }
}
