using System.Text;
using Confluent.Kafka;
using Narad.Kafka.Producing;

namespace Narad.Kafka.Tests.Producing;

/// <summary>A client and its broker: takes copies, writes in batches, and refuses every batch that has a message beginning with "bad", as brokers do.</summary>
/// <param name="batch">How many messages make a batch.</param>
/// <param name="code">What a refused batch is answered with.</param>
/// <param name="lists">Whether the answer lists the records that are refused.</param>
internal sealed class BatchingClient(int batch, ErrorCode code, bool lists) : IProducerClient
{
    private readonly Lock _reporting = new();
    private readonly Lock _lock = new();
    private readonly List<(PendingSend Send, byte[] Value, byte[]? Key)> _queue = [];

    // How many of the queue, from its start, a purge took that did not wait: they are given back with the next answer, as librdkafka does, and never written.
    private int _purged;

    public string Name => "batching#1";

    public int LargestBatch => 1_000_000;

    /// <summary>What was written, in order.</summary>
    public List<string> Written { get; } = [];

    public int Refused { get; private set; }

    public Error TryProduce(PendingSend send)
    {
        lock (_lock)
        {
            _queue.Add((send, (byte[])send.Payload!.Clone(), (byte[]?)send.KeyBytes?.Clone()));
        }

        return new Error(ErrorCode.NoError);
    }

    /// <summary>Answers one batch, where there is one.</summary>
    public void Answer()
    {
        lock (_reporting)
        {
            GivePurgedBack();
            var taken = Take(batch);
            if (taken.Count == 0)
            {
                return;
            }

            var refused = taken.Exists(IsBad);
            Refused += refused ? 1 : 0;
            PendingSend.Report(taken.ConvertAll(entry => refused ? Refuse(entry) : Write(entry)).ToArray());
        }
    }

    public void PurgeQueued(bool wait)
    {
        lock (_lock)
        {
            _purged = _queue.Count;
        }

        if (wait)
        {
            lock (_reporting)
            {
                GivePurgedBack();
            }
        }
    }

    public Task<IReadOnlyList<LimitAnswer>> FindLimitsAsync(IReadOnlyList<string> topics, TimeSpan timeout)
        => Task.FromResult<IReadOnlyList<LimitAnswer>>([.. topics.Select(_ => new LimitAnswer(1_048_588, ErrorCode.NoError))]);

    public void Dispose()
    {
        // Holds nothing.
    }

    private static bool IsBad((PendingSend Send, byte[] Value, byte[]? Key) entry) => entry.Value.AsSpan().StartsWith("bad"u8);

    private static SendReport GiveBack((PendingSend Send, byte[] Value, byte[]? Key) entry, ErrorCode code)
    {
        entry.Send.Own(entry.Value, entry.Key);
        return new SendReport(entry.Send, 0, -1, code, PersistenceStatus.NotPersisted);
    }

    private SendReport Refuse((PendingSend Send, byte[] Value, byte[]? Key) entry)
        => GiveBack(entry, !lists || IsBad(entry) ? code : ErrorCode.Local_InvalidDifferentRecord);

    private SendReport Write((PendingSend Send, byte[] Value, byte[]? Key) entry)
    {
        Written.Add(Encoding.UTF8.GetString(entry.Value));
        return new SendReport(entry.Send, 0, Written.Count - 1, ErrorCode.NoError, PersistenceStatus.Persisted);
    }

    private void GivePurgedBack()
    {
        List<(PendingSend Send, byte[] Value, byte[]? Key)> purged;
        lock (_lock)
        {
            purged = Take(_purged);
            _purged = 0;
        }

        if (purged.Count > 0)
        {
            PendingSend.Report(purged.ConvertAll(entry => GiveBack(entry, ErrorCode.Local_PurgeQueue)).ToArray());
        }
    }

    private List<(PendingSend Send, byte[] Value, byte[]? Key)> Take(int most)
    {
        lock (_lock)
        {
            var taken = _queue.GetRange(0, Math.Min(most, _queue.Count));
            _queue.RemoveRange(0, taken.Count);
            return taken;
        }
    }
}
