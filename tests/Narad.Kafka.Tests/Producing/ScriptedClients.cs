using System.Collections.Concurrent;
using Confluent.Kafka;
using Narad.Kafka.Producing;

namespace Narad.Kafka.Tests.Producing;

/// <summary>Clients that do what the test says: a queue of any size, reports when the test gives them, a handle that hangs.</summary>
internal sealed class ScriptedClients
{
    private readonly Lock _lock = new();

    public List<ScriptedClient> Built { get; } = [];

    /// <summary>How many sends one client takes at a time.</summary>
    public int Capacity { get; set; } = int.MaxValue;

    /// <summary>What a broker answers that is asked for topics' limits; default: that they are large.</summary>
    public Func<IReadOnlyList<string>, Task<IReadOnlyList<LimitAnswer>>> Limits { get; set; } =
        topics => Task.FromResult<IReadOnlyList<LimitAnswer>>([.. topics.Select(_ => new LimitAnswer(1_048_588, ErrorCode.NoError))]);

    public ManualResetEventSlim? HangsInDispose { get; set; }

    public ScriptedClient Last
    {
        get
        {
            lock (_lock)
            {
                return Built[^1];
            }
        }
    }

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return Built.Count;
            }
        }
    }

    public IProducerClient Build(ProducerGeneration generation)
    {
        var client = new ScriptedClient(this, generation);
        lock (_lock)
        {
            Built.Add(client);
        }

        return client;
    }
}

internal sealed class ScriptedClient(ScriptedClients owner, ProducerGeneration generation) : IProducerClient
{
    private readonly ConcurrentQueue<PendingSend> _queue = new();
    private long _offset;

    public string Name => "scripted#1";

    public ConcurrentQueue<string> Taken { get; } = new();

    /// <summary>What was taken, in arrays of its own: key, value and header values.</summary>
    public ConcurrentQueue<string> TakenWhole { get; } = new();

    public byte[]? LastPayload { get; private set; }

    public bool Disposed { get; private set; }

    public Error? Answer { get; set; }

    public int Refusals;

    public Error TryProduce(PendingSend send)
    {
        if (Answer is { } answer)
        {
            return answer;
        }

        if (_queue.Count >= owner.Capacity)
        {
            Interlocked.Increment(ref Refusals);
            return new Error(ErrorCode.Local_QueueFull);
        }

        var taken = System.Text.Encoding.UTF8.GetString(send.Payload ?? []);
        TakenWhole.Enqueue(
            string.Join('|', ((byte[]?[])[send.KeyBytes, send.Payload, .. (send.Headers ?? []).Select(header => header.Value)])
                .Select(bytes => System.Text.Encoding.UTF8.GetString(bytes ?? []))));
        LastPayload = send.Payload;
        _queue.Enqueue(send);
        Taken.Enqueue(taken);
        return new Error(ErrorCode.NoError);
    }

    /// <summary>Answers the oldest sends.</summary>
    public void Report(int count = 1, ErrorCode code = ErrorCode.NoError, PersistenceStatus status = PersistenceStatus.Persisted)
    {
        for (var i = 0; i < count && _queue.TryDequeue(out var send); i++)
        {
            send.Report(0, code == ErrorCode.NoError ? _offset++ : -1, code, status);
        }
    }

    public void Fatal(ErrorCode code) => generation.Fail(new Error(code, code.ToString(), isFatal: true));

    public void PurgeQueued(bool wait)
    {
        // It keeps what it has.
    }

    public int LargestBatch => 1_000_000;

    public Task<IReadOnlyList<LimitAnswer>> FindLimitsAsync(IReadOnlyList<string> topics, TimeSpan timeout) => owner.Limits(topics);

    public void Dispose()
    {
        owner.HangsInDispose?.Wait();
        Disposed = true;
    }
}
