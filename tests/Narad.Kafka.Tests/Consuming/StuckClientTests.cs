using System.Runtime.InteropServices;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Consuming;
using Narad.Kafka.Shared;
using Narad.Kafka.Tests.Service;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>Clients that stay outside their group although a broker answers.</summary>
public sealed class StuckClientTests
{
    private readonly ManualTime _time = new();

    // The answer to the first request to join is on its way for ten minutes: without another client nothing would be handled until then.
    [SkippableFact, Trait("Promise", "S11"), Trait("Trap", "coordinator-never-reconnected")]
    [Long]
    public async Task A_client_that_its_group_does_not_take_in_is_replaced()
    {
        Skip.If(OperatingSystem.IsMacOS(), "A function with any number of arguments is called otherwise there.");
        using var broker = new EmbeddedTestBroker();
        var (topic, group) = (await broker.CreateTopicAsync(1), broker.NewGroup());
        await broker.SendAsync(topic, 0, 3, static _ => "k");
        var events = new LogEvents();
        await using var kafka = new KafkaService(broker.Options(static options => options.GroupProtocol = KafkaGroupProtocol.Classic), events);
        await kafka.ConnectConsumerAsync(group);
        DelayNextJoin(broker.Broker, TimeSpan.FromMinutes(10));
        var handled = 0;

        var subscription = await kafka.SubscribeAsync<string>(topic, (_, _, _) => Task.FromResult(Interlocked.Increment(ref handled)));

        await Waiting.Until(() => Volatile.Read(ref handled) == 3, "all is handled", JoinWatch.FirstTimeout + Waiting.Deadline);
        subscription.State.Should().Be(SubscriptionState.Running);
        events.Count(3049).Should().Be(1);
    }

    [Fact]
    public void A_client_that_is_outside_for_a_minute_is_stuck_and_the_next_one_has_twice_the_time()
    {
        var watch = new JoinWatch(static () => true, _time);

        StuckAfter(watch).Should().Be(TimeSpan.FromSeconds(60));
        StuckAfter(watch).Should().Be(TimeSpan.FromSeconds(120));
        StuckAfter(watch).Should().Be(TimeSpan.FromSeconds(240));
        StuckAfter(watch).Should().Be(TimeSpan.FromSeconds(480));
        StuckAfter(watch).Should().Be(TimeSpan.FromSeconds(480));
    }

    [Fact]
    public void A_client_that_comes_in_gives_the_next_one_the_time_of_the_first()
    {
        bool? isOutside = true;
        var watch = new JoinWatch(() => isOutside, _time);
        StuckAfter(watch);
        isOutside = null;
        Pass(watch, TimeSpan.FromHours(1)).Should().BeFalse("no broker answers");
        isOutside = true;
        Pass(watch, TimeSpan.FromSeconds(100)).Should().BeFalse("it has two minutes");
        isOutside = false;
        Pass(watch, TimeSpan.FromHours(1)).Should().BeFalse("it is a member");

        isOutside = true;
        StuckAfter(watch).Should().Be(TimeSpan.FromSeconds(60));
    }

    private TimeSpan StuckAfter(JoinWatch watch)
    {
        for (var seconds = 0; seconds < 1_000; seconds++)
        {
            if (Pass(watch, TimeSpan.FromSeconds(1)))
            {
                return watch.Waited;
            }
        }

        throw new TimeoutException("It was never taken for stuck.");
    }

    private bool Pass(JoinWatch watch, TimeSpan time)
    {
        _time.Advance(time);
        return watch.IsStuck();
    }

    private static void DelayNextJoin(EmbeddedBroker broker, TimeSpan time) =>
        Marshal.GetDelegateForFunctionPointer<PushErrorsWithRoundTripTimes>(
            NativeLibrary.GetExport(NativeLibraryResolver.Handle, "rd_kafka_mock_broker_push_request_error_rtts"))(
            broker.Cluster.DangerousGetHandle(), broker: 1, (short)KafkaRequest.JoinGroup, count: 1, error: 0, (int)time.TotalMilliseconds).Should().Be(0);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int PushErrorsWithRoundTripTimes(nint cluster, int broker, short request, nuint count, int error, int milliseconds);
}
