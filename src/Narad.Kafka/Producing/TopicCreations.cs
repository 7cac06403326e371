using Confluent.Kafka;

namespace Narad.Kafka.Producing;

/// <summary>Has the topics created that the library is to create: once each, while their sends wait. One that no broker answered is tried again for as long as somebody waits (S3); one that was refused, with the next send.</summary>
/// <remarks>Threading: <see cref="Begin"/> under the lock of <see cref="SendLine"/>; the rest takes it.</remarks>
internal sealed class TopicCreations(SendLine owner, Lock guard, IKafkaTopics topics, TimeProvider time, CancellationToken stopped)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    public void Begin(TopicLine line)
    {
        line.Existence = TopicExistence.Ensuring;
        _ = Task.Run(() => EnsureAsync(line));
    }

    private async Task EnsureAsync(TopicLine line)
    {
        Exception? failure = null;
        try
        {
            await topics.CreateIfNotExistsAsync([new TopicSpec(line.Topic)], stopped).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            failure = exception;
        }

        if (failure is KafkaTopicException { InnerException: KafkaException or TimeoutException } && await AnybodyWaitsAsync(line).ConfigureAwait(false))
        {
            _ = Task.Run(() => EnsureAsync(line));
            return;
        }

        lock (guard)
        {
            line.Existence = failure is null ? TopicExistence.Assured : TopicExistence.Unknown;
            if (failure is not null)
            {
                owner.FailWaiting(line, send => SendFailure.NoTopic(send, failure));
            }

            owner.Changed(line);
        }
    }

    // After a pause: those whose time is over have left by then.
    private async Task<bool> AnybodyWaitsAsync(TopicLine line)
    {
        try
        {
            await Task.Delay(Pause, time, stopped).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return false;
        }

        lock (guard)
        {
            return line.Waiting.Count > 0;
        }
    }
}
