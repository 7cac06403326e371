using System.Collections.Concurrent;
using System.Diagnostics;
using Chat.Contract;

namespace ChatLoad;

/// <summary>Sends at a steady rate, whether answers come or not, and measures from the moment at which a message was due. Use once.</summary>
internal sealed class LoadRun(LoadOptions options)
{
    private const int SignInsAtOnce = 8;

    private static readonly TimeSpan ReadEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(10);

    private readonly string _run = Guid.NewGuid().ToString("n")[..6];
    private readonly ConcurrentDictionary<string, long> _due = new(StringComparer.Ordinal);    // by id, of messages that are measured
    private readonly ConcurrentDictionary<string, int> _sent = new(StringComparer.Ordinal);    // messages that were acknowledged, by room
    private readonly ConcurrentQueue<TimeSpan> _acknowledgements = new();
    private readonly ConcurrentDictionary<string, int> _refusals = new(StringComparer.Ordinal);

    public async Task<LoadResult> RunAsync()
    {
        var users = await StartUsersAsync();
        using var ended = new CancellationTokenSource();
        var reading = Task.WhenAll(users.Select(user => ReadAsync(user, ended.Token)));
        await SendAllAsync(users);
        var expected = users.Sum(user => _sent.GetValueOrDefault(user.RoomId));
        await UntilQuietAsync(users, expected);
        await ended.CancelAsync();
        await reading;
        var result = new LoadResult(
            options,
            users.Count(static user => user.IsClosed),
            _refusals.ToDictionary(),
            users.Sum(user => Math.Max(0, _sent.GetValueOrDefault(user.RoomId) - user.Arrived)),
            users.Sum(static user => user.Doubled),
            users.Sum(static user => user.OutOfOrder),
            new Percentiles(_acknowledgements),
            new Percentiles(users.SelectMany(static user => user.Deliveries)));
        foreach (var user in users)
        {
            await user.DisposeAsync();
        }

        return result;
    }

    private async Task<ChatUser[]> StartUsersAsync()
    {
        using var http = new HttpClient();
        var users = new ChatUser[options.Users];
        await Parallel.ForAsync(0, users.Length, new ParallelOptions { MaxDegreeOfParallelism = SignInsAtOnce }, async (number, _) =>
        {
            users[number] = await ChatUser.StartAsync(
                http, options.Urls[number % options.Urls.Count], $"load-{_run}-{number}", $"load-{_run}-{number % options.Rooms}", Measure);
        });
        return users;
    }

    private async Task SendAllAsync(ChatUser[] users)
    {
        var sending = new List<Task>();
        var started = Stopwatch.GetTimestamp();
        for (var number = 0; number < options.Rate * (options.WarmUpSeconds + options.Seconds); number++)
        {
            var due = TimeSpan.FromSeconds((double)number / options.Rate);
            if (due - Stopwatch.GetElapsedTime(started) is { Ticks: > 0 } early)
            {
                await Task.Delay(early);
            }

            var isMeasured = due >= TimeSpan.FromSeconds(options.WarmUpSeconds);
            sending.Add(SendAsync(users[number % users.Length], started + (long)(due.TotalSeconds * Stopwatch.Frequency), isMeasured));
        }

        await Task.WhenAll(sending);
    }

    private async Task SendAsync(ChatUser user, long due, bool isMeasured)
    {
        var id = Guid.CreateVersion7().ToString();
        if (isMeasured)
        {
            _due[id] = due;
        }

        try
        {
            await user.SendAsync(new NewMessage(user.RoomId, id, $"A message of the load client, about as long as one that somebody types. {id}"));
        }
        catch (Exception failure)
        {
            _refusals.AddOrUpdate(failure.Message, 1, static (_, count) => count + 1);
            return;
        }

        _sent.AddOrUpdate(user.RoomId, 1, static (_, count) => count + 1);
        if (isMeasured)
        {
            _acknowledgements.Enqueue(Stopwatch.GetElapsedTime(due));
        }
    }

    private void Measure(ChatUser user, MessageEvent message)
    {
        if (_due.TryGetValue(message.MessageId, out var due))
        {
            user.Deliveries.Add(Stopwatch.GetElapsedTime(due));
        }
    }

    private static async Task ReadAsync(ChatUser user, CancellationToken ended)
    {
        using var timer = new PeriodicTimer(ReadEvery);
        try
        {
            while (await timer.WaitForNextTickAsync(ended))
            {
                await user.ReadAsync();
            }
        }
        catch (Exception failure) when (failure is OperationCanceledException or InvalidOperationException)
        {
            // The run ended, or the server closed the connection, which is counted.
        }
    }

    // Until everything arrived, or nothing more does.
    private static async Task UntilQuietAsync(ChatUser[] users, int expected)
    {
        var arrived = -1;
        var since = Stopwatch.GetTimestamp();
        while (users.Sum(static user => user.Arrived) is var now && now < expected && Stopwatch.GetElapsedTime(since) < Quiet)
        {
            since = now == arrived ? since : Stopwatch.GetTimestamp();
            arrived = now;
            await Task.Delay(100);
        }
    }
}
