namespace Narad.Kafka.Producing;

/// <summary>
/// Has the topics created that the library is to create: once each, while their sends wait. One that no broker answered is tried again for as long as somebody
/// waits; one that was refused, with the next send.
/// </summary>
/// <remarks>Threading: <see cref="Begin"/> under the lock of <see cref="SendQueue"/>; the rest takes it.</remarks>
internal sealed class TopicCreations(SendQueue owner, Lock guard, IKafkaTopics topics, TimeProvider time, CancellationToken stopped)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    public void Begin(TopicQueue queue)
    {
        queue.Existence = TopicExistence.Ensuring;
        _ = Task.Run(() => EnsureAsync(queue));
    }

    private async Task EnsureAsync(TopicQueue queue)
    {
        Exception? failure = null;
        try
        {
            await topics.CreateIfNotExistsAsync([new TopicSpec(queue.Topic)], stopped).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            failure = exception;
        }

        if (failure is KafkaTopicException { IsPassing: true } && await AnybodyWaitsAsync(queue).ConfigureAwait(false))
        {
            _ = Task.Run(() => EnsureAsync(queue));
            return;
        }

        lock (guard)
        {
            queue.Existence = failure is null ? TopicExistence.Assured : TopicExistence.Unknown;
            if (failure is not null)
            {
                owner.FailWaiting(queue, send => SendFailure.NoTopic(send, failure));
            }

            owner.Changed(queue);
        }
    }

    // After a pause: those whose time is over have left by then.
    private async Task<bool> AnybodyWaitsAsync(TopicQueue queue)
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
            return queue.Waiting.Count > 0;
        }
    }
}
