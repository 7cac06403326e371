using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;
using Narad.Kafka.Clients.Interop;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Producing;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Producing;

/// <summary>What a fatal error of the producer does to sends before, during and after.</summary>
public sealed class FatalErrorTests
{
    [Fact, Trait("Promise", "S1")]
    public async Task After_a_fatal_error_what_is_in_flight_fails_and_what_is_sent_meanwhile_waits_in_order_for_the_next_client()
    {
        var clients = new ScriptedClients();
        await using var sending = await Sending.ConnectAsync(clients);
        var first = clients.Last;
        var lost = sending.SendAsync("t", "lost", "k").AsTask();
        first.Fatal(ErrorCode.OutOfOrderSequenceNumber);
        var waiting = Enumerable.Range(0, 10).Select(i => sending.SendAsync("t", $"{i}").AsTask()).ToList();

        sending.Producer.Health.State.Should().Be(ProducerState.Rebuilding);
        sending.Producer.Health.Reason.Should().Contain(nameof(ErrorCode.OutOfOrderSequenceNumber));
        first.Report(1, ErrorCode.Local_PurgeQueue, PersistenceStatus.NotPersisted);
        var failure = (await lost.Invoking(send => send).Should().ThrowAsync<KafkaSendException>()).Which;
        failure.Reason.Should().Be(nameof(ErrorCode.OutOfOrderSequenceNumber));
        failure.MayHaveBeenWritten.Should().BeFalse();
        await Sending.Until(() => clients.Count == 2 && clients.Last.Taken.Count == 10, "the next client to take what waits");

        first.Taken.Should().Equal("lost");
        clients.Last.Taken.Should().Equal(Enumerable.Range(0, 10).Select(i => $"{i}"));
        clients.Last.Report(10);
        await Task.WhenAll(waiting).WaitAsync(Sending.Timeout);
        await Sending.Until(() => first.Disposed, "the dead client to be disposed");
        sending.Producer.Health.Should().Be(new ProducerHealth(ProducerState.Running, null));
        (await sending.Producer.StopAsync(Sending.Timeout)).Should().BeEquivalentTo(new SendCounts(10, 1, 0, []));
    }

    [Fact, Trait("Promise", "S1")]
    [Trait("Trap", "fatal-with-plain-codes")]
    public async Task A_client_that_answers_with_a_fatal_errors_plain_code_is_replaced_and_the_message_waits()
    {
        var clients = new ScriptedClients();
        await using var sending = await Sending.ConnectAsync(clients);
        clients.Last.Answer = new Error(ErrorCode.OutOfOrderSequenceNumber);
        var send = sending.SendAsync("t", "m").AsTask();

        await Sending.Until(() => clients.Count == 2 && clients.Last.Taken.Count == 1, "the next client to take it");
        clients.Last.Report();
        (await send.WaitAsync(Sending.Timeout)).Offset.Should().Be(0);
    }

    [SkippableTheory, Trait("Promise", "S1")]
    [InlineData("Embedded")]
    [InlineData("Kafka")]
    [Trait("Trap", "fatal-with-plain-codes")]
    public async Task A_real_client_that_dies_is_replaced_and_nothing_is_lost_or_left_hanging(string where)
    {
        var options = where == "Embedded" ? new KafkaOptions { Mode = KafkaMode.Embedded }
            : new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = Sending.RealKafka ?? "", TopicCreation = TopicCreation.IfMissing };
        Skip.If(where == "Kafka" && Sending.RealKafka is null, "NARAD_TEST_KAFKA names no broker.");
        var diagnostics = new KafkaDiagnostics();
        await using var transport = Transport.For(options.Mode, options, diagnostics);
        var clients = new List<KafkaProducerClient>();
        await using var producer = new MessageProducer(transport, options, diagnostics, generation =>
        {
            clients.Add(new KafkaProducerClient(transport.Clients.Producer(), diagnostics, generation.Fail));
            return clients[^1];
        });
        await producer.ConnectAsync(default);
        var topic = Sending.NewTopic();
        await producer.SendAsync(topic, "first", "k", null, default);

        var sends = new List<Task<SendResult>>();
        for (var i = 0; i < 3000; i++)
        {
            if (i == 1000)
            {
                TestFatalError(clients[0], ErrorCode.OutOfOrderSequenceNumber);
            }

            sends.Add(producer.SendAsync(topic, $"{i}", "k", null, default).AsTask());
        }

        await Task.WhenAll(sends).ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(Sending.Timeout);

        sends.Should().OnlyContain(send => send.IsCompletedSuccessfully || send.Exception!.InnerException is KafkaSendException);
        sends[^1].IsCompletedSuccessfully.Should().BeTrue();
        clients.Should().HaveCount(2);
        var offsets = sends.Where(send => send.IsCompletedSuccessfully).Select(send => send.Result.Offset).ToList();
        offsets.Should().BeInAscendingOrder();
        var counts = await producer.StopAsync(Sending.Timeout);
        counts.Delivered.Should().Be(offsets.Count + 1);
        (counts.Delivered + counts.Failed).Should().Be(3001);
    }

    [Fact, Trait("Promise", "S1")]
    [Trait("Trap", "refused-identity")]
    public async Task A_refused_identity_is_reported_once_and_sends_fail_at_once_with_the_reason()
    {
        using var broker = EmbeddedBroker.Start();
        broker.FailNext(KafkaRequest.InitProducerId, [.. Enumerable.Repeat(ErrorCode.ClusterAuthorizationFailed, 20)]);
        await using var sending = await Sending.ConnectAsync(new KafkaOptions { Mode = KafkaMode.Embedded, EmbeddedBroker = broker });
        var topic = Sending.NewTopic();

        var first = (
            await sending.SendAsync(topic, "m", "k").AsTask().WaitAsync(Sending.Timeout).Invoking(send => send).Should().ThrowAsync<KafkaSendException>())
            .Which;
        await Sending.Until(() => sending.Producer.Health.State == ProducerState.Refused, "the refusal");
        var later = (
            await sending.SendAsync(topic, "m", "k").AsTask().WaitAsync(TimeSpan.FromSeconds(1)).Invoking(send => send).Should()
            .ThrowAsync<KafkaSendException>()).Which;

        first.Reason.Should().Be(nameof(ErrorCode.ClusterAuthorizationFailed));
        first.Retriable.Should().BeFalse();
        later.Reason.Should().Be(nameof(ErrorCode.ClusterAuthorizationFailed));
        sending.Producer.Health.Reason.Should().Contain(nameof(ErrorCode.ClusterAuthorizationFailed));
    }

    [Fact, Trait("Promise", "S1")]
    [Trait("Trap", "disposed-never-answers")]
    public async Task A_client_that_hangs_while_it_closes_holds_nobody_up()
    {
        using var hang = new ManualResetEventSlim();
        var clients = new ScriptedClients { HangsInDispose = hang };
        await using var sending = await Sending.ConnectAsync(clients);
        clients.Last.Fatal(ErrorCode.UnknownProducerId);
        var send = sending.SendAsync("t", "m").AsTask();

        await Sending.Until(() => clients.Count == 2 && clients.Last.Taken.Count == 1, "the next client to take it");
        clients.Last.Report();
        await send.WaitAsync(Sending.Timeout);
        var counts = await sending.Producer.StopAsync(TimeSpan.FromMilliseconds(50)).WaitAsync(Sending.Timeout);
        hang.Set();
        counts.Abandoned.Should().Equal("scripted#1", "scripted#1");
    }

    [Fact, Trait("Promise", "S1")]
    public async Task An_error_of_our_own_in_a_report_is_logged_and_costs_neither_the_message_nor_the_process()
    {
        using var log = new Queues();
        var (options, diagnostics) = (new KafkaOptions { Mode = KafkaMode.Embedded }, new KafkaDiagnostics(log));
        await using var broker = Transport.For(options.Mode, options, diagnostics);
        var backpressure = new FakeBackpressure { Faults = 1 };
        var transport = new FakeTransport { Mode = KafkaMode.Embedded, Backpressure = backpressure };
        transport.FakeTopics.Next.SetResult();
        var clients = new List<KafkaProducerClient>();
        await using var producer = new MessageProducer(transport, options, diagnostics, generation =>
        {
            clients.Add(new KafkaProducerClient(broker.Clients.Producer(), diagnostics, generation.Fail));
            return clients[^1];
        });
        await producer.ConnectAsync(default);
        var topic = Sending.NewTopic();

        var first = await producer.SendAsync(topic, "acknowledged", "k", null, default).AsTask().WaitAsync(Sending.Timeout);
        var second = await producer.SendAsync(topic, "after", "k", null, default).AsTask().WaitAsync(Sending.Timeout);

        (first.Offset, second.Offset).Should().Be((0L, 1L));
        clients.Should().HaveCount(1);
        await Sending.Until(() => log.Written.Any(queue => queue.Contains("keeping account of it failed", StringComparison.Ordinal)), "the fault in the log");
        var counts = await producer.StopAsync(Sending.Timeout);
        (counts.Delivered, counts.Failed, counts.Unknown).Should().Be((2L, 0L, 0L));
    }

    private static void TestFatalError(KafkaProducerClient client, ErrorCode code)
    {
        var handle = (SafeHandle)LibrdkafkaHandle(Producer(client).Handle)!;
        var raise = Marshal.GetDelegateForFunctionPointer<RaiseFatalError>(NativeLibrary.GetExport(NativeLibraryResolver.Handle, "rd_kafka_test_fatal_error"));
        raise(handle, code, "raised by a test").Should().Be(ErrorCode.NoError);
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_producer")]
    private static extern ref IProducer<byte[]?, PendingSend> Producer(KafkaProducerClient client);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_LibrdkafkaHandle")]
    [return: UnsafeAccessorType("Confluent.Kafka.Impl.SafeKafkaHandle, Confluent.Kafka")]
    private static extern object? LibrdkafkaHandle(Handle handle);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate ErrorCode RaiseFatalError(SafeHandle client, ErrorCode code, [MarshalAs(UnmanagedType.LPUTF8Str)] string reason);
}
