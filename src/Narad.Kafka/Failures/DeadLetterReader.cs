using System.Globalization;
using System.Runtime.CompilerServices;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Configuration;
using Narad.Kafka.Consuming;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Serialization;
using Narad.Kafka.Topics;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Failures;

/// <summary>
/// Reads the partitions of a dead-letter topic, one after the other, with a client of its own: it joins no group and commits nothing. It waits for a broker
/// at most <see cref="KafkaOptions.ConnectTimeout"/>, and holds at most <see cref="MostAtOnce"/> messages beside what the client prefetches.
/// </summary>
/// <remarks>Not thread-safe: one reading at a time. The client is used on the thread pool, by one thread after another.</remarks>
internal sealed class DeadLetterReader : IAsyncDisposable
{
    public const int MostAtOnce = 256;

    private const int MostBytesAtOnce = 4 * 1024 * 1024;

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(3);

    private readonly string _topic;
    private readonly ITransport _transport;
    private readonly MessageDecoder _decoder;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ClientLog _log;
    private readonly SecretHiding _secrets;
    private IConsumer<byte[]?, byte[]?>? _client;
    private long _next;                  // the offset of the partition being read that is read next, at least
    private volatile string? _trouble;   // why the client does not reach a broker, so far as it says; written by its threads

    public DeadLetterReader(string topic, ITransport transport, KafkaOptions options, MessageDecoder decoder, KafkaDiagnostics diagnostics)
    {
        _topic = topic;
        _transport = transport;
        _decoder = decoder;
        _timeout = options.ConnectTimeout;
        _time = diagnostics.Time;
        _logger = diagnostics.Logger<DeadLetterReader>();
        _secrets = transport.Clients.Secrets;
        _log = new ClientLog(_logger, _secrets, diagnostics.Time, diagnostics.Unreachable);
    }

    /// <summary>The dead letters of a partition, up to the end of the span or of the partition, whichever comes first.</summary>
    /// <exception cref="KafkaTopicException">Reading was refused, no broker answered in time, or the topic was created again meanwhile.</exception>
    public async IAsyncEnumerable<DeadLetter> ReadAsync(PartitionSpan span, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        if (span.Length == 0)
        {
            yield break;
        }

        await Task.Run(() => Begin(span), cancellationToken).ConfigureAwait(false);
        for (var ended = false; !ended;)
        {
            var taken = new List<DeadLetter>();
            ended = await Task.Run(() => Take(span, taken, cancellationToken), cancellationToken).ConfigureAwait(false);
            foreach (var letter in taken)
            {
                yield return letter;
            }
        }
    }

    /// <summary>Closes the client on a thread of its own, and waits for that at most 3 s: on a hung broker it takes up to 44 s.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_client is { } client)
        {
            try
            {
                await Task.Factory.StartNew(() => Close(client), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)
                    .WaitAsync(CloseTimeout, _time).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                DeadLettersLog.ReaderAbandoned(_logger, _transport.BootstrapServers, CloseTimeout.TotalSeconds);
            }
        }

        _log.Complete();
    }

    private void Begin(PartitionSpan span)
    {
        _client ??= Build();
        _next = span.Start;
        _client.Assign(new TopicPartitionOffset(_topic, span.Partition, span.Start));
        _client.AwaitStops();   // of the partition before
    }

    private IConsumer<byte[]?, byte[]?> Build()
    {
        var client = new ConsumerBuilder<byte[]?, byte[]?>(_transport.Clients.Reader($"{_topic}-redrive"))
            .SetErrorHandler((_, error) => OnError(_secrets.Hide(error)))
            .SetLogHandler((_, line) => _log.Write(line))
            .Build();
        _transport.Tokens?.Add(client);
        return client;
    }

    // Whether the partition was read to the end of the span.
    private bool Take(PartitionSpan span, List<DeadLetter> taken, CancellationToken cancellationToken)
    {
        var bytes = 0;
        for (var waited = TimeSpan.Zero; taken.Count < MostAtOnce && bytes < MostBytesAtOnce;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var result = Consume(taken.Count == 0 ? Poll : TimeSpan.Zero);
            if (result is null)
            {
                waited += Poll;
                if (taken.Count > 0)
                {
                    return false;
                }

                if (waited > _timeout)
                {
                    var reason = (_trouble ?? _transport.ConnectionFault?.ToString()) is { } trouble ? $" ({trouble})" : "";
                    throw new KafkaTopicException(
                        string.Create(CultureInfo.InvariantCulture, $"{_topic}[{span.Partition}] could not be read at offset {_next}: no broker "
                            + $"answered within {Duration.Text(_timeout)}{reason}."),
                        _topic);
                }
            }
            else if (result.Partition.Value != span.Partition)
            {
                // Left over from the partition before.
            }
            else if (result.IsPartitionEOF || result.Offset.Value >= span.End)
            {
                return true;   // also where what stood last is no message
            }
            else if (result.Offset.Value < _next)
            {
                throw new KafkaTopicException(string.Create(CultureInfo.InvariantCulture, $"{_topic}[{span.Partition}] went back from offset {_next} "
                    + $"to {result.Offset.Value} while it was read: the topic was created again."), _topic);
            }
            else
            {
                _next = result.Offset.Value + 1;
                bytes += (result.Message.Key?.Length ?? 0) + (result.Message.Value?.Length ?? 0);
                taken.Add(LetterOf(result));
                if (_next >= span.End)
                {
                    return true;
                }
            }
        }

        return false;
    }

    private ConsumeResult<byte[]?, byte[]?>? Consume(TimeSpan timeout)
    {
        try
        {
            return _client!.Consume(timeout);
        }
        catch (ConsumeException refused) when (refused.Error.Code is ErrorCode.GroupAuthorizationFailed)
        {
            return null;   // the client asks for the group's coordinator, whom nothing here needs
        }
        catch (ConsumeException refused)
        {
            var hint = refused.Error.Code is ErrorCode.TopicAuthorizationFailed ? " Grant Read on it." : "";
            throw new KafkaTopicException($"Topic {_topic} could not be read: {refused.Error.Reason} ({refused.Error.Code}).{hint}", _topic, refused);
        }
    }

    private DeadLetter LetterOf(ConsumeResult<byte[]?, byte[]?> result)
    {
        var received = ClientMessages.Of(result);
        return new DeadLetter(
            new TopicPartitionOffsetId(_topic, result.Partition.Value, received.Offset),
            DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(received.Timestamp, 0, DateTimeOffset.MaxValue.ToUnixTimeMilliseconds())),
            MessageKey.From(received.Key),
            received.Value,
            received.Headers ?? [])
        {
            Decoder = _decoder,
        };
    }

    // On the client's thread: must neither throw nor call the application's logger.
    private void OnError(Error error)
    {
        // "1/1 brokers are down" comes beside the reason, and says less.
        if (error.Code is not ErrorCode.Local_AllBrokersDown || _trouble is null)
        {
            _trouble = error.Reason;
        }
    }

    private void Close(IConsumer<byte[]?, byte[]?> client)
    {
        _transport.Tokens?.Remove(client);
        try
        {
            client.Dispose();
        }
        catch (Exception failure)
        {
            DeadLettersLog.ReaderCloseFailed(_logger, failure, _transport.BootstrapServers);
        }
    }
}
