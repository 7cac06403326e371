using System.Diagnostics;
using Narad.Kafka.Soak.Verification;

namespace Narad.Kafka.Soak.Load;

/// <summary>Tasks that send numbered messages at a rate through one service, without awaiting one before the next. Every key belongs to one task.</summary>
internal sealed class Senders : IAsyncDisposable
{
    private const int Outstanding = 2_000;   // of all tasks, and so the longest line behind a broker that is away

    private readonly KafkaService _service;
    private readonly Recorder _recorder;
    private readonly Func<int, string> _topicOf;
    private readonly Func<int, int, byte[]> _bytes;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _room = new(Outstanding, Outstanding);
    private Task[] _tasks = [];
    private int _left;   // to be sent
    private Task? _stopped;

    private Senders(KafkaService service, Recorder recorder, Func<int, string> topicOf, Func<int, int, byte[]> bytes)
    {
        _service = service;
        _recorder = recorder;
        _topicOf = topicOf;
        _bytes = bytes;
    }

    public static async Task<Senders> StartAsync(
        KafkaService service, Recorder recorder, Func<int, string> topicOf, Func<int, int, byte[]> bytes, int tasks, int rate, int most)
    {
        await service.ConnectProducerAsync();
        var senders = new Senders(service, recorder, topicOf, bytes) { _left = most };
        senders._tasks = [.. Enumerable.Range(0, tasks).Select(task => Task.Run(() => senders.SendAsync(task, tasks, (double)rate / tasks)))];
        return senders;
    }

    /// <summary>Sends no more, and completes when every send was answered. To be called from one task at a time.</summary>
    public Task StopAsync() => _stopped ??= StopCoreAsync();

    private async Task StopCoreAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_tasks);
        for (var taken = 0; taken < Outstanding; taken++)
        {
            await _room.WaitAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_tasks);
        await _service.DisposeAsync();
        _stop.Dispose();
    }

    private async Task SendAsync(int task, int tasks, double rate)
    {
        var random = new Random(task);
        var mine = Enumerable.Range(0, _recorder.Keys).Where(key => key % tasks == task).ToArray();
        var started = Stopwatch.GetTimestamp();
        double sent = 0;
        while (!_stop.IsCancellationRequested)
        {
            var owed = (rate * Stopwatch.GetElapsedTime(started).TotalSeconds) - sent;
            if (owed > rate)
            {
                sent += owed - rate;   // what an outage held back is not made up for beyond a second's worth
                owed = rate;
            }

            for (; owed >= 1 && !_stop.IsCancellationRequested; owed--, sent++)
            {
                if (Interlocked.Decrement(ref _left) < 0)
                {
                    return;
                }

                await _room.WaitAsync();
                var key = mine[random.Next(mine.Length)];
                var sequence = _recorder.Next(key);
                _ = AwaitAsync(_service.SendAsync(_topicOf(key), _bytes(key, sequence), key), key, sequence);
            }

            await Task.Delay(20);
        }
    }

    private async Task AwaitAsync(ValueTask<SendResult> sending, int key, int sequence)
    {
        try
        {
            await sending;
            _recorder.Settle(key, sequence, SendOutcome.Acknowledged);
        }
        catch (KafkaSendException failure)
        {
            _recorder.Settle(key, sequence, failure.MayHaveBeenWritten ? SendOutcome.Unknown : SendOutcome.Failed);
        }
        finally
        {
            _room.Release();
        }
    }
}
