using System.Diagnostics;
using Narad.Kafka.Shared;
using Xunit.Abstractions;

namespace Narad.Kafka.Tests.Connecting;

/// <summary>What connecting says where it cannot: the table of docs/troubleshooting.md, row by row, on real listeners.</summary>
public sealed class WrongSetUpTests(ITestOutputHelper output) : IDisposable
{
    private readonly List<IDisposable> _open = [];

    public static TheoryData<string, string, string, string> Rows()
    {
        var rows = new TheoryData<string, string, string, string>();
        foreach (var row in TroubleshootingPage.Table("wrong-set-ups"))
        {
            rows.Add(row[0], row[1], row[2], row[3]);
        }

        return rows;
    }

    public void Dispose() => _open.ForEach(static opened => opened.Dispose());

    [Fact]
    public void The_pages_rows_are_what_is_tested() =>
        TroubleshootingPage.Table("wrong-set-ups").Select(row => row[0]).Should().BeEquivalentTo(WrongSetUps.Connecting.Keys);

    [SkippableTheory]
    [MemberData(nameof(Rows))]
    [Trait("Promise", "S31")]
    [Long]
    public async Task A_wrong_set_up_fails_within_the_timeout_and_says_which_setting_to_look_at(string setUp, string exception, string settings, string phrase)
    {
        var options = WrongSetUps.Connecting[setUp](_open);
        await using var kafka = new KafkaService(options);
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        var failure = (await kafka.Awaiting(service => service.ConnectProducerAsync()).Should().ThrowAsync<KafkaConnectionException>()).Which;
        output.WriteLine($"{watch.ElapsedMilliseconds} ms: {failure.Message}");

        watch.Elapsed.Should().BeLessThan(options.ConnectTimeout + TimeSpan.FromSeconds(6) + stalls.Allowance);
        failure.GetType().Name.Should().Be(exception);
        failure.Message.Should().Contain(phrase);
        foreach (var setting in settings.Split(", "))
        {
            failure.Message.Should().Contain(setting);
        }

        foreach (var secret in new[] { options.Sasl.Password, options.ClientProperties.TryGetValue("sasl.oauthbearer.client.secret", out var client) ? client
            : null }.OfType<string>())
        {
            failure.ToString().Should().NotContain(secret);
        }
    }
}
