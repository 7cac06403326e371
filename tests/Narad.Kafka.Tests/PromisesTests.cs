using Narad.Kafka.Shared;

namespace Narad.Kafka.Tests;

/// <summary>The promises whose tests are in this project.</summary>
public sealed class PromisesTests
{
    private static readonly string[] Names = [.. Enumerable.Range(1, 34).Select(number => $"S{number}")];

    public static TheoryData<string> Promises => [.. Names];

    [Theory]
    [MemberData(nameof(Promises))]
    public void The_page_names_each_test_of_a_promise_and_no_other(string promise) => PromisesPage.NamesTheTestsOf(promise);
}
