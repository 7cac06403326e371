using System.Globalization;
using Narad.Kafka;

namespace Notifications.Producer;

/// <summary>Sends notifications at a rate, and says how far it is: once a second, and at the end. Not thread-safe.</summary>
internal sealed class NotificationProducer(IKafkaProducer kafka, TimeProvider time, TextWriter output)
{
    private const int MostInFlight = 1_000;

    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(1);

    private readonly Queue<Task<SendResult>> _inFlight = new();
    private long _sent;
    private long _refused;

    /// <summary>Counts and shows something that is not sent.</summary>
    public void Refuse(string reason)
    {
        _refused++;
        output.WriteLine(reason);
    }

    /// <summary>Sends until the source ends or the token is cancelled; then waits for what is in flight.</summary>
    /// <param name="source">What to send; the sends are issued in this order.</param>
    /// <param name="rate">How many a second; 0: as fast as Kafka takes them.</param>
    /// <param name="stopping">Stops reading the source.</param>
    /// <returns>Whether Kafka confirmed everything and nothing was refused.</returns>
    public async Task<bool> SendAsync(IAsyncEnumerable<Notification> source, double rate, CancellationToken stopping)
    {
        var started = time.GetTimestamp();
        var shown = started;
        var number = 0L;
        try
        {
            await foreach (var notification in source.WithCancellation(stopping))
            {
                var sending = kafka.SendAsync(NotificationsRoles.Topic, notification, notification.UserId, cancellationToken: CancellationToken.None);
                _inFlight.Enqueue(sending.AsTask());
                await ConfirmAsync(_inFlight.Count >= MostInFlight ? 1 : 0);
                if (time.GetElapsedTime(shown) >= ProgressInterval)
                {
                    shown = time.GetTimestamp();
                    Show(started);
                }

                stopping.ThrowIfCancellationRequested();
                if (rate > 0 && TimeSpan.FromSeconds(++number / rate) - time.GetElapsedTime(started) is { Ticks: > 0 } early)
                {
                    await Task.Delay(early, time, stopping);
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // What is in flight is still confirmed.
        }

        await ConfirmAsync(_inFlight.Count);
        Show(started);
        return _refused == 0;
    }

    // At least so many, and all that are confirmed already.
    private async Task ConfirmAsync(int least)
    {
        while (_inFlight.Count > 0 && (least-- > 0 || _inFlight.Peek().IsCompleted))
        {
            try
            {
                await _inFlight.Dequeue();
                _sent++;
            }
            catch (KafkaSendException failure)
            {
                Refuse(failure.Message);
            }
        }
    }

    private void Show(long started)
    {
        var seconds = time.GetElapsedTime(started).TotalSeconds;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{_sent:N0} sent, {_inFlight.Count:N0} in flight, {_refused:N0} refused, {_sent / Math.Max(seconds, 0.001):N0} a second"));
    }
}
