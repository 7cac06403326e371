using System.Collections.Concurrent;
using System.Diagnostics;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Serialization;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Failures;

/// <summary>A listener of traces or metrics that throws costs a span or a measurement, and changes nothing of a message.</summary>
public sealed class ThrowingListenersTests
{
    public enum Callback
    {
        Sample,
        Started,
        Stopped,
    }

    [Theory]
    [InlineData(Callback.Sample)]
    [InlineData(Callback.Started)]
    [InlineData(Callback.Stopped)]
    public async Task Whichever_callback_of_an_activity_listener_throws_messages_are_sent_and_handled_once(Callback throwing)
    {
        var topic = $"listened-{Guid.NewGuid():N}";
        var threw = new ConcurrentBag<ActivityKind>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name == KafkaDiagnostics.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> options) => Sampled(options.Name, options.Kind),
            ActivityStarted = activity => Throw(Callback.Started, activity.OperationName, activity.Kind),
            ActivityStopped = activity => Throw(Callback.Stopped, activity.OperationName, activity.Kind),
        };
        ActivitySource.AddActivityListener(listener);
        await using var service = await EmbeddedService.StartAsync();
        service.Broker.CreateTopic(topic, 1);
        service.Broker.CreateTopic($"{topic}-batch", 1);
        var handled = new ConcurrentQueue<string>();
        var batched = new ConcurrentQueue<string>();
        var subscription = await service.Kafka.SubscribeAsync<string>(topic, (message, _, _) =>
        {
            handled.Enqueue(message);
            return Task.CompletedTask;
        }).WaitAsync(Waiting.Deadline);
        await service.Kafka.SubscribeBatchAsync<string>($"{topic}-batch", (batch, _) =>
        {
            foreach (var item in batch.Items)
            {
                batched.Enqueue(item.Message);
            }

            return Task.CompletedTask;
        }).WaitAsync(Waiting.Deadline);

        var before = Activity.Current;
        for (var i = 0; i < 3; i++)
        {
            await service.SendAsync(topic, $"{i}", "k");
            await service.SendAsync($"{topic}-batch", $"{i}", "k");
        }

        Activity.Current.Should().BeSameAs(before, "a span that could not be started or stopped is not the current one");
        await Waiting.Until(() => service.Committed(topic) == 3 && service.Committed($"{topic}-batch") == 3, "everything is committed");
        handled.Should().Equal("0", "1", "2");
        batched.Should().Equal("0", "1", "2");
        subscription.StoppedPartitions.Should().BeEmpty();
        threw.Should().Contain(ActivityKind.Producer).And.Contain(ActivityKind.Consumer);

        ActivitySamplingResult Sampled(string name, ActivityKind kind)
        {
            Throw(Callback.Sample, name, kind);
            return name.StartsWith(topic, StringComparison.Ordinal) ? ActivitySamplingResult.AllData : ActivitySamplingResult.None;
        }

        void Throw(Callback callback, string name, ActivityKind kind)
        {
            if (callback == throwing && name.StartsWith(topic, StringComparison.Ordinal))
            {
                threw.Add(kind);
                throw new InvalidOperationException("A listener of the application's.");
            }
        }
    }
}
