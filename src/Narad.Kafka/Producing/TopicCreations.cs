namespace Narad.Kafka.Producing;

/// <summary>Has the topics created that the library is to create: once each, while their sends wait. A creation that failed is tried again with the next send.</summary>
/// <remarks>Threading: <see cref="Begin"/> under the lock of <see cref="SendLine"/>; the rest takes it.</remarks>
internal sealed class TopicCreations(SendLine owner, Lock guard, IKafkaTopics topics, CancellationToken stopped)
{
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
            await topics.EnsureAsync([new TopicSpec(line.Topic)], stopped);
        }
        catch (Exception exception)
        {
            failure = exception;
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
}
