using Narad.Kafka.Diagnostics;
using Narad.Kafka.Security;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Security;

/// <summary>A token source that blocks its thread holds a few of them, and is asked again once one of its calls returned.</summary>
[Trait("Promise", "S29")]
public sealed class BlockedSourceTests
{
    [Fact]
    public async Task A_source_that_blocks_holds_no_more_than_three_threads_and_works_again_when_it_returns()
    {
        using var released = new ManualResetEventSlim();
        using var logs = new LogEvents();
        var time = new ManualTime();
        var calls = 0;
        await using var refresher = new TokenRefresher(
            _ =>
            {
                Interlocked.Increment(ref calls);
                released.Wait();
                return ValueTask.FromResult(new OAuthBearerToken("t", time.GetUtcNow().AddHours(1), "me"));
            },
            "orders", new KafkaDiagnostics(logs, time), give: (_, _) => { }, refuse: (_, _) => { });
        refresher.Add(new FakeClient());

        await Waiting.Until(
            () =>
            {
                time.Advance(TokenRefresher.SourceTimeout);
                return refresher.Trouble?.Contains("3 calls of it have not returned", StringComparison.Ordinal) is true;
            },
            "its calls given up");
        var naps = refresher.Naps;
        await Waiting.Until(
            () =>
            {
                time.Advance(TokenRefresher.LongestRetry);
                return refresher.Naps >= naps + 3;
            },
            "it is waited for");

        Volatile.Read(ref calls).Should().Be(TokenRefresher.MostHanging, "it is not asked while these have not returned");
        released.Set();
        await Waiting.Until(
            () =>
            {
                time.Advance(TokenRefresher.LongestRetry);
                return refresher.HasToken;
            },
            "a token");
        refresher.Trouble.Should().BeNull();
    }
}
