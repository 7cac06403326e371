namespace Narad.Kafka.Cli.Tests;

/// <summary>A file of variables is read as dotenv reads it, and not as a shell would.</summary>
public sealed class EnvFileTests
{
    private const string EventHubs =
        "Endpoint=sb://narad.servicebus.windows.net/;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=bmFyYWQtdGVzdC1rZXk=";

    [Fact]
    public void What_a_shell_would_expand_or_cut_stays_as_it_is()
    {
        var variables = EnvFile.Parse($"KAFKA_SASL_USERNAME=$ConnectionString\nKAFKA_SASL_PASSWORD={EventHubs}\nA=${{HOME}} `pwd` $(pwd) & b | c");
        variables["KAFKA_SASL_USERNAME"].Should().Be("$ConnectionString");
        variables["KAFKA_SASL_PASSWORD"].Should().Be(EventHubs);
        variables["A"].Should().Be("${HOME} `pwd` $(pwd) & b | c");
    }

    [Theory]
    [InlineData("A=1", "1")]
    [InlineData("  A = 1  ", "1")]
    [InlineData("export A=1", "1")]
    [InlineData("\uFEFFA=1", "1")]
    [InlineData("A=1\r\nB=2\r\n", "1")]
    [InlineData("# comment\n\nA=1", "1")]
    [InlineData("A=1 # comment", "1")]
    [InlineData("A=1#no-comment", "1#no-comment")]
    [InlineData("A=# comment", "")]
    [InlineData("A=", "")]
    [InlineData("A=first\nA=last", "last")]
    [InlineData("A='$x # no comment'  # comment", "$x # no comment")]
    [InlineData("A='a\\nb'", "a\\nb")]
    [InlineData("A=\"a\\nb\\\"c\\\\d\\$\"", "a\nb\"c\\d\\$")]
    [InlineData("A=\"-----BEGIN\nKEY-----\"\nB=2", "-----BEGIN\nKEY-----")]
    [InlineData("A='one\r\ntwo'", "one\ntwo")]
    [InlineData("A=it's", "it's")]
    [InlineData("A=a=b=c", "a=b=c")]
    public void A_line_is_read(string text, string expected) => EnvFile.Parse(text)["A"].Should().Be(expected);

    [Theory]
    [InlineData("A=1\nthis is nothing", "line 2")]
    [InlineData("=secret", "line 1")]
    [InlineData("1A=secret", "line 1")]
    [InlineData("A='secret", "line 1")]
    [InlineData("A='x' secret", "line 1")]
    public void What_is_no_variable_is_refused_with_its_line_and_without_its_value(string text, string line) =>
        FluentActions.Invoking(() => EnvFile.Parse(text)).Should().Throw<FormatException>().Which.Message.Should().Contain(line).And.NotContain("secret");
}
