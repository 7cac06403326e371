using Narad.Kafka.Shared;

namespace Narad.Kafka.Mongo.Tests;

/// <summary>The promises whose tests are in this project.</summary>
public sealed class PromisesTests
{
    [Theory]
    [InlineData("S35")]
    [InlineData("S36")]
    [InlineData("S37")]
    public void The_page_names_each_test_of_a_promise_and_no_other(string promise) => PromisesPage.NamesTheTestsOf(promise);
}
