using Microsoft.Extensions.Logging;
using Narad.Kafka.Topics;

namespace Narad.Kafka.Consuming;

/// <summary>
/// Notices by its id that a topic which the group reads was deleted and created again. Where the old position is in the new log, the client goes on
/// there and says nothing: what is before it would be lost. One task; shares nothing.
/// </summary>
internal sealed class RecreatedTopics(KafkaTopics topics, Func<IReadOnlyCollection<string>> read, Func<string, CancellationToken, Task> startAgain, string group, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, string> _ids = new(StringComparer.Ordinal);

    public async Task WatchAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await LookAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception error) when (error is KafkaTopicException or KafkaConnectionException)
            {
                // What is known stays known, so the next look finds out.
                ConsumingLog.IdsUnknown(logger, error, group);
            }

            await Task.Delay(Interval, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        foreach (var (topic, id) in await topics.IdsAsync(read(), cancellationToken).ConfigureAwait(false))
        {
            if (_ids.TryGetValue(topic, out var known) && !string.Equals(known, id, StringComparison.Ordinal))
            {
                await startAgain(topic, cancellationToken).ConfigureAwait(false);
            }

            _ids[topic] = id;
        }
    }
}
