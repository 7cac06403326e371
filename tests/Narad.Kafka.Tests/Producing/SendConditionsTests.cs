using System.Diagnostics;
using System.Text;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Producing;
using Narad.Kafka.Shared;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Producing;

/// <summary>What else a send may meet: a missing topic, a topic to be created, backpressure, a listener, Console mode.</summary>
public sealed class SendConditionsTests
{
    [SkippableFact, Trait("Promise", "S1")]
    [Trait("Trap", "missing-topic-send")]
    public async Task A_missing_topic_fails_by_name()
    {
        await using var sending = await Sending.ConnectAsync("Kafka", options =>
        {
            options.TopicCreation = TopicCreation.None;
            options.ClientProperties["topic.metadata.propagation.max.ms"] = "500";
        });
        var topic = Sending.NewTopic();

        var failure = (
            await sending.SendAsync(topic, "m", 7).AsTask().WaitAsync(Sending.Timeout).Invoking(send => send).Should().ThrowAsync<KafkaSendException>()).Which;

        failure.Reason.Should().Be(nameof(ErrorCode.UnknownTopicOrPart));
        failure.Message.Should().Contain($"'{topic}'").And.Contain("does not exist: create it, or set Kafka:TopicCreation to IfMissing")
            .And.Contain("0x00000007");
        failure.MayHaveBeenWritten.Should().BeFalse();
    }

    [Fact, Trait("Promise", "S1")]
    [Trait("Trap", "reports-without-status")]
    public async Task A_send_without_an_answer_in_time_fails_and_says_that_it_may_have_been_written()
    {
        using var broker = EmbeddedBroker.Start();
        await using var sending = await Sending.ConnectAsync(
            new KafkaOptions { Mode = KafkaMode.Embedded, EmbeddedBroker = broker, SendTimeout = TimeSpan.FromSeconds(1) });
        var topic = Sending.NewTopic();
        await sending.SendAsync(topic, "first");
        broker.SetLatency(TimeSpan.FromMinutes(5));
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();

        var failure = (await sending.SendAsync(topic, "m").AsTask().WaitAsync(Sending.Timeout).Invoking(send => send).Should().ThrowAsync<KafkaSendException>())
            .Which;

        watch.Elapsed.Should().BeGreaterThan(TimeSpan.FromSeconds(0.9))
            .And.BeLessThan(TimeSpan.FromSeconds(3) + stalls.Allowance, "the client looks once a second");
        failure.Reason.Should().Be(nameof(ErrorCode.Local_MsgTimedOut));
        failure.Retriable.Should().BeTrue();
        failure.MayHaveBeenWritten.Should().BeTrue();
        broker.SetLatency(TimeSpan.Zero);
    }

    [Fact]
    public async Task Sends_wait_in_order_for_the_creation_of_their_topic_and_a_failed_one_is_tried_again_by_the_next_send()
    {
        var clients = new ScriptedClients();
        await using var transport = new FakeTransport();
        await using var sending = await Sending.ConnectAsync(clients, options => options.TopicCreation = TopicCreation.IfMissing, transport: transport);
        var failing = sending.SendAsync("t", "failing").AsTask();
        transport.FakeTopics.Next.SetException(new KafkaTopicException("no", "t"));
        (await failing.Invoking(send => send).Should().ThrowAsync<KafkaSendException>()).Which.InnerException.Should().BeOfType<KafkaTopicException>();

        transport.FakeTopics.Next = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var sends = Enumerable.Range(0, 10).Select(i => sending.SendAsync("t", $"{i}").AsTask()).ToList();
        clients.Last.Taken.Should().BeEmpty();
        transport.FakeTopics.Next.SetResult();
        await Sending.Until(() => clients.Last.Taken.Count == 10, "all to be taken");
        clients.Last.Taken.Should().Equal(Enumerable.Range(0, 10).Select(i => $"{i}"));
        clients.Last.Report(10);
        await Task.WhenAll(sends).WaitAsync(Sending.Timeout);
        transport.FakeTopics.Calls.Should().Be(2);
    }

    [Fact, Trait("Promise", "S3")]
    public async Task Sends_to_a_topic_that_no_broker_answers_for_wait_for_one_and_not_only_once()
    {
        var clients = new ScriptedClients();
        await using var transport = new FakeTransport();
        await using var sending = await Sending.ConnectAsync(clients, options => options.TopicCreation = TopicCreation.IfMissing, transport: transport);
        var outage = transport.FakeTopics.Next;
        var send = sending.SendAsync("t", "1").AsTask();
        await Sending.Until(() => transport.FakeTopics.Calls == 1, "the creation to be asked for");
        outage.SetException(new KafkaTopicException("no broker answered", "t", new TimeoutException()));
        transport.FakeTopics.Next = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await Sending.Until(() => transport.FakeTopics.Calls == 2 || send.IsCompleted, "it to be asked for again");
        send.IsCompleted.Should().BeFalse("an outage is waited out");
        transport.FakeTopics.Next.SetResult();
        await Sending.Until(() => clients.Last.Taken.Count == 1, "it to be taken");
        clients.Last.Report(1);
        await send.WaitAsync(Sending.Timeout);
    }

    [Fact, Trait("Promise", "S2")]
    public async Task Closed_backpressure_holds_its_topic_in_order_and_no_other_and_hears_of_every_outcome_once()
    {
        var clients = new ScriptedClients();
        await using var transport = new FakeTransport { Backpressure = new FakeBackpressure { Room = 2 } };
        await using var sending = await Sending.ConnectAsync(clients, transport: transport);
        var sends = Enumerable.Range(0, 5).Select(i => sending.SendAsync("limited", $"{i}").AsTask()).ToList();
        sends.Add(sending.SendAsync("other", "other").AsTask());

        await Sending.Until(() => clients.Last.Taken.Count == 3, "what there is room for to be taken");
        clients.Last.Taken.Order().Should().Equal("0", "1", "other");
        clients.Last.Taken.Where(taken => taken != "other").Should().Equal("0", "1");
        transport.Backpressure.Open(3);
        await Sending.Until(() => clients.Last.Taken.Count == 6, "the rest to be taken");
        clients.Last.Taken.Where(taken => taken != "other").Should().Equal("0", "1", "2", "3", "4");
        clients.Last.Report(5);
        clients.Last.Report(1, ErrorCode.TopicAuthorizationFailed, PersistenceStatus.NotPersisted);
        await Task.WhenAll(sends).ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(Sending.Timeout);
        (transport.Backpressure.Acknowledgements, transport.Backpressure.Failures).Should().Be((5, 1));
    }

    [Fact]
    public async Task Trace_context_is_sent_while_somebody_listens_and_not_otherwise()
    {
        await using var sending = await Sending.ConnectAsync("Embedded");
        var topic = Sending.NewTopic();
        await sending.SendAsync(topic, "untraced", "k");
        using var parent = new Activity("parent").SetIdFormat(ActivityIdFormat.W3C).Start();
        parent.TraceStateString = "a=b";
        await sending.SendAsync(topic, "traced", "k");
        parent.Stop();

        var read = sending.ReadAll(topic, 2);
        var untraced = read.Single(result => Encoding.UTF8.GetString(result.Message.Value!) == "untraced");
        var traced = read.Single(result => Encoding.UTF8.GetString(result.Message.Value!) == "traced");
        untraced.Message.Headers.Should().BeEmpty();
        Encoding.UTF8.GetString(traced.Message.Headers.GetLastBytes("traceparent")).Should().StartWith($"00-{parent.TraceId}-");
        Encoding.UTF8.GetString(traced.Message.Headers.GetLastBytes("tracestate")).Should().Be("a=b");
    }

    [Fact, Trait("Promise", "S3")]
    public async Task Console_mode_logs_what_it_would_send_and_answers_with_minus_one()
    {
        using var loggers = new Queues();
        await using var sending = await Sending.ConnectAsync(new KafkaOptions { Mode = KafkaMode.Console }, loggers);

        var sent = await sending.SendAsync("test-topic", new { Message = "Hello World" });
        await sending.SendAsync("test-topic", new byte[] { 0xff, 0x00 });

        sent.Should().Be(new SendResult("test-topic", -1, -1));
        loggers.Written.Should().Contain("Information: [DEV] Would send to test-topic: {\"message\":\"Hello World\"}")
            .And.Contain("Information: [DEV] Would send to test-topic: /wA=");
    }
}
