using Confluent.Kafka;
using Narad.Kafka.Producing;

namespace Narad.Kafka.Tests.Producing;

/// <summary>The counts of a disconnect agree with what callers were told.</summary>
public sealed class LateAnswersTests
{
    [Fact, Trait("Promise", "S4")]
    public async Task A_message_that_is_acknowledged_after_its_caller_was_told_that_it_failed_counts_as_late()
    {
        var time = new ManualTime();
        var clients = new ScriptedClients { Capacity = 1 };
        await using var sending = await Sending.ConnectAsync(clients, options => options.SendTimeout = TimeSpan.FromSeconds(10), time);
        var first = sending.SendAsync("t", "delivered").AsTask();
        await Taken(clients, 1);
        var late = sending.SendAsync("t", "late").AsTask();
        clients.Last.Report();
        await Taken(clients, 2);
        var failed = sending.SendAsync("t", "told in time, then refused").AsTask();
        time.Advance(TimeSpan.FromSeconds(11));

        var told = (await late.WaitAsync(Sending.Timeout).Invoking(send => send).Should().ThrowAsync<KafkaSendException>()).Which;
        await failed.WaitAsync(Sending.Timeout).Invoking(send => send).Should().ThrowAsync<KafkaSendException>();
        clients.Last.Report();
        await first;
        var counts = await sending.Producer.StopAsync(Sending.Timeout).WaitAsync(Sending.Timeout);

        told.MayHaveBeenWritten.Should().BeTrue();
        told.Reason.Should().Be(nameof(ErrorCode.Local_MsgTimedOut));
        counts.Should().BeEquivalentTo(new SendCounts(Delivered: 1, Failed: 1, Unknown: 0, []) { Late = 1 });
        sending.Producer.Delivered.Should().Be(2, "both are in the topic");
    }

    private static Task Taken(ScriptedClients clients, int count) => Sending.Until(() => clients.Last.Taken.Count >= count, "the client to have it");
}
