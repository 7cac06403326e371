using System.Collections.Concurrent;
using System.Diagnostics;
using Narad.Kafka.Failures;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>
/// What a handler sees of a message's headers: the application's. Retry data and trace context have members of their own, and baggage travels.
/// </summary>
public sealed class HandlerHeadersTests
{
    private static readonly string[] Kept = ["tenant", "retry", "tenant"];

    [Fact]
    public async Task Headers_that_a_handler_passes_on_after_a_retry_are_those_of_the_sender()
    {
        await using var service = await EmbeddedService.StartAsync();
        service.Broker.CreateTopic("orders", 1);
        var arrived = new TaskCompletionSource<MessageContext>();
        var retried = new TaskCompletionSource<MessageContext>();
        await service.Kafka.SubscribeAsync<string>("invoices", (_, context, _) =>
        {
            arrived.TrySetResult(context);
            return Task.CompletedTask;
        });
        await service.Kafka.SubscribeAsync<string>(
            "orders",
            async (message, context, token) =>
            {
                if (context.Retry == 0)
                {
                    throw new InvalidOperationException("not yet");
                }

                retried.TrySetResult(context);
                await context.SendAsync("invoices", message, options: new SendOptions { Headers = context.Headers }, cancellationToken: token);
            },
            configure: subscription => (subscription.Retry.Topic.MaxAttempts, subscription.Retry.Topic.Delay) = (1, TimeSpan.FromMilliseconds(1)));
        var sent = new MessageHeaders().Add("tenant", "a").Add("retry", "the application's own")
            .Add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").Add("tenant", "b");

        await service.Kafka.SendAsync("orders", "x", options: new SendOptions { Headers = sent });

        var there = await arrived.Task.WaitAsync(Waiting.Deadline);
        there.Received!.Select(header => header.Name).Should()
            .Equal(Kept, "nothing else was passed on: no stack trace, no retry data, no trace context of another message");
        there.Headers.GetText("retry").Should().Be("the application's own");
        var context = await retried.Task;
        context.Headers.Select(header => header.Name).Should().Equal(Kept);
        context.Retry.Should().Be(1);
        context.Original.Topic.Should().Be("orders");
        context.PreviousFailure.Should().BeEquivalentTo(new { ExceptionType = typeof(InvalidOperationException).FullName, ExceptionMessage = "not yet" });
        context.PreviousFailure!.ExceptionStack.Should().Contain(nameof(HandlerHeadersTests));
        context.TraceParent.Should().StartWith("00-0af7651916cd43dd8448eb211c80319c-");
        context.Redriven.Should().BeNull();
    }

    [Fact]
    public async Task A_message_that_was_not_retried_has_no_retry_data_and_keeps_headers_that_only_look_like_ours()
    {
        await using var service = await EmbeddedService.StartAsync();
        var handled = new TaskCompletionSource<MessageContext>();
        await service.Kafka.SubscribeAsync<string>("orders", (_, context, _) =>
        {
            handled.TrySetResult(context);
            return Task.CompletedTask;
        });

        await service.Kafka.SendAsync("orders", "x",
            options: new SendOptions { Headers = new MessageHeaders().Add("narad-topic", "somebody's").Add("retry", "7") });

        var context = await handled.Task.WaitAsync(Waiting.Deadline);
        context.Headers.Select(header => header.Name).Should().Equal("narad-topic", "retry");
        context.PreviousFailure.Should().BeNull();
        context.Retry.Should().Be(0);
    }

    [Theory]
    [InlineData(false, "tenant")]
    [InlineData(true, "tenant", "retry", "tenant")]
    public void What_another_system_wrote_into_a_retry_topic_shows_no_retry_data_either(bool ownSet, params string[] kept)
    {
        var headers = new MessageHeaders().Add("tenant", "a").Add("retry", "2");
        if (ownSet)
        {
            headers.Add("tenant", "b").Add(FailureHeaders.Redriven, "who").Add(FailureHeaders.Topic, "orders").Add(FailureHeaders.Retry, "1")
                .Add(FailureHeaders.ExceptionStack, "at …");
        }

        FailureHeaders.ForHandler(headers, isRetryRecord: true).Select(header => header.Name).Should().Equal(kept);
    }

    [Fact]
    public async Task Baggage_and_trace_travel_from_the_sender_to_what_the_handler_sends()
    {
        var processed = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Narad.Kafka",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => Activity.Current?.GetBaggageItem("only") is "this test"
                || _.Parent.TraceState is "only=this" ? ActivitySamplingResult.AllData : ActivitySamplingResult.None,
            ActivityStopped = processed.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        await using var service = await EmbeddedService.StartAsync();
        var arrived = new TaskCompletionSource<MessageContext>();
        string? tenant = null;
        await service.Kafka.SubscribeAsync<string>("invoices", (_, context, _) =>
        {
            arrived.TrySetResult(context);
            return Task.CompletedTask;
        });
        await service.Kafka.SubscribeAsync<string>("orders", async (message, context, token) =>
        {
            tenant = Activity.Current?.GetBaggageItem("tenant");
            await context.SendAsync("invoices", message, options: new SendOptions { Headers = context.Headers }, cancellationToken: token);
        });
        ActivityTraceId trace;
        using (var sender = new Activity("sender").SetIdFormat(ActivityIdFormat.W3C).AddBaggage("only", "this test").AddBaggage("tenant", "a, b; ü").Start())
        {
            sender.TraceStateString = "only=this";
            trace = sender.TraceId;
            await service.Kafka.SendAsync("orders", "x");
        }

        var there = await arrived.Task.WaitAsync(Waiting.Deadline);
        tenant.Should().Be("a, b; ü", "the handler's activity has the sender's baggage");
        there.TraceParent.Should().StartWith($"00-{trace}-");
        there.Received!.GetText("baggage").Should().Contain("tenant").And.MatchRegex("^[\\x21-\\x7E ]*$", "W3C baggage is percent-encoded ASCII");
        there.Headers.Should().BeEmpty();
    }

    [Fact]
    public async Task Trace_headers_that_the_application_set_itself_are_sent_as_they_are()
    {
        await using var service = await EmbeddedService.StartAsync();
        var arrived = new TaskCompletionSource<MessageContext>();
        await service.Kafka.SubscribeAsync<string>("orders", (_, context, _) =>
        {
            arrived.TrySetResult(context);
            return Task.CompletedTask;
        });
        using (new Activity("sender").SetIdFormat(ActivityIdFormat.W3C).AddBaggage("a", "1").Start())
        {
            await service.Kafka.SendAsync("orders", "x",
                options: new SendOptions { Headers = new MessageHeaders().Add("traceparent", "mine").Add("baggage", "b=2") });
        }

        var context = await arrived.Task.WaitAsync(Waiting.Deadline);
        context.Received!.Select(header => (header.Name, context.Received!.GetText(header.Name))).Should().Equal(("traceparent", "mine"), ("baggage", "b=2"));
    }
}
