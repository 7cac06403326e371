using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Security;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Transactions;

/// <summary>
/// Confluent.Kafka's transactional producer, all through its own methods: committing and aborting serve delivery reports on their own thread, by callbacks
/// that the library's own way of sending has none of. Its callbacks never throw.
/// </summary>
internal sealed class TransactionClient : ITransactionClient
{
    // Each blocking call is made in pieces, so that giving up takes no longer than one.
    private static readonly TimeSpan Piece = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private readonly string _group;
    private readonly ILogger _logger;
    private readonly ClientLog _log;
    private readonly IProducer<byte[]?, byte[]?> _producer;
    private readonly BlockingCalls _calls;
    private readonly TokenRefresher? _tokens;
    private volatile Error? _fatal;
    private readonly OncePerKind<ErrorCode> _news;

    public TransactionClient(ClientSettings clients, ExactlyOnceSettings settings, string transactionalId, string group, ILogger logger,
        KafkaDiagnostics diagnostics, TokenRefresher? tokens = null)
    {
        _tokens = tokens;
        _group = group;
        _logger = logger;
        _news = new OncePerKind<ErrorCode>(diagnostics.Time, ClientError.Lapse);
        var secrets = clients.Secrets;
        _log = new ClientLog(logger, secrets, diagnostics.Time, diagnostics.Unreachable);
        _producer = new ProducerBuilder<byte[]?, byte[]?>(Configure(clients.Producer(), settings, transactionalId))
            .SetKeySerializer(Serializers.ByteArray)
            .SetValueSerializer(Serializers.ByteArray)
            .SetErrorHandler((_, error) => OnError(secrets.Hide(error)))
            .SetLogHandler((_, line) => _log.Write(line))
            .Build();
        tokens?.Add(_producer);
        _calls = new BlockingCalls($"narad-transactions-{group}");
    }

    public Error? Fatal => _fatal;

    public Task<Error?> StartAsync(Action<Error> waiting, CancellationToken giveUp) => _calls.RunAsync(() =>
    {
        var (answer, error) = Call(_producer.InitTransactions, giveUp, waiting);
        if (answer is Answer.Done)
        {
            (answer, error) = Call(_ => _producer.BeginTransaction(), giveUp);
        }

        return answer is Answer.Done ? null : error;
    });

    public Error TryProduce(TopicPartition to, Message<byte[]?, byte[]?> message, Action<DeliveryReport<byte[]?, byte[]?>> report)
    {
        try
        {
            _producer.Produce(to, message, report);
            return new Error(ErrorCode.NoError);
        }
        catch (KafkaException error)
        {
            return error.Error;
        }
        catch (ObjectDisposedException error)
        {
            return new Error(ErrorCode.Local_Destroy, error.Message);
        }
    }

    public Task<TransactionEnd> CommitAsync(IReadOnlyList<TopicPartitionOffset> offsets, IConsumerGroupMetadata member, CancellationToken giveUp) =>
        _calls.RunAsync(() =>
    {
        var (answer, error) = Call(timeout => _producer.SendOffsetsToTransaction(offsets, member, timeout), giveUp);
        if (answer is Answer.Done)
        {
            (answer, error) = Call(_producer.CommitTransaction, giveUp);
            if (answer is Answer.Done)
            {
                return Next(new TransactionEnd(TransactionEndKind.Committed), giveUp);
            }

            if (answer is not Answer.MustAbort)
            {
                return new TransactionEnd(TransactionEndKind.Broken, error);
            }
        }

        // Offsets that were refused commit nothing, so this ends for certain.
        return answer is Answer.Fatal ? new TransactionEnd(TransactionEndKind.Broken, error) : Abort(error, giveUp);
    });

    public Task<TransactionEnd> AbortAsync(CancellationToken giveUp) => _calls.RunAsync(() => Abort(reason: null, giveUp));

    public void Dispose() => _calls.Finish(() =>
    {
        _tokens?.Remove(_producer);
        try
        {
            _producer.Dispose();
        }
        catch (KafkaException error)
        {
            TransactionsLog.CloseFailed(_logger, error, _group);
        }

        _log.Complete();
    });

    internal static ProducerConfig Configure(ProducerConfig config, ExactlyOnceSettings settings, string transactionalId)
    {
        var timeout = (int)settings.TransactionTimeout.TotalMilliseconds;
        config.TransactionalId = transactionalId;
        config.TransactionTimeoutMs = timeout;
        config.MessageTimeoutMs = Math.Min(config.MessageTimeoutMs ?? timeout, timeout);

        // What each report brings with it is known already.
        config.DeliveryReportFields = "status";
        return config;
    }

    private TransactionEnd Abort(Error? reason, CancellationToken giveUp)
    {
        var (answer, error) = Call(_producer.AbortTransaction, giveUp);
        return answer is Answer.Done ? Next(new TransactionEnd(TransactionEndKind.Aborted, reason), giveUp)
            : new TransactionEnd(TransactionEndKind.Broken, error);
    }

    // How the one that ended did is known, whatever becomes of the next.
    private TransactionEnd Next(TransactionEnd ended, CancellationToken giveUp)
    {
        var (answer, error) = Call(_ => _producer.BeginTransaction(), giveUp);
        if (answer is not Answer.Done)
        {
            _fatal ??= error;
        }

        return ended;
    }

    // At least one piece, also where it was given up before: aborting at the end of a shutdown takes milliseconds.
    private (Answer Answer, Error? Error) Call(Action<TimeSpan> call, CancellationToken giveUp, Action<Error>? waiting = null)
    {
        while (true)
        {
            try
            {
                call(Piece);
                return (Answer.Done, null);
            }
            catch (KafkaTxnRequiresAbortException error)
            {
                return (Answer.MustAbort, error.Error);
            }
            catch (KafkaRetriableException error)
            {
                if (_fatal is { } fatal)
                {
                    return (Answer.Fatal, fatal);
                }

                if (giveUp.WaitHandle.WaitOne(Pause))
                {
                    return (Answer.GaveUp, error.Error);
                }

                waiting?.Invoke(error.Error);
            }
            catch (KafkaException error)
            {
                // Fatal, or a state that should not be: in both cases only a new producer knows where it stands.
                _fatal ??= error.Error;
                return (Answer.Fatal, error.Error);
            }
            catch (ObjectDisposedException error)
            {
                return (Answer.Fatal, new Error(ErrorCode.Local_Destroy, error.Message));
            }
        }
    }

    private void OnError(Error error)
    {
        if (error.IsFatal)
        {
            _fatal ??= error;
        }
        else if (!ClientError.IsConnection(error.Code) && _news.IsDue(error.Code))
        {
            ThreadPool.UnsafeQueueUserWorkItem(_ => TransactionsLog.ClientError(_logger, error.Code, error.Reason, _group), null);
        }
    }

    private enum Answer
    {
        Done,
        MustAbort,
        GaveUp,
        Fatal,
    }
}
