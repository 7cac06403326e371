using System.Buffers;
using System.Net.WebSockets;
using System.Threading.Channels;
using Narad.Kafka;
using Notifications.Storage;

namespace Notifications.Sockets;

/// <summary>What a connection sends.</summary>
/// <param name="Id">The id of a notification; null for a change of states.</param>
/// <param name="Utf8">The text, shared by the devices of a user.</param>
internal readonly record struct Frame(string? Id, ReadOnlyMemory<byte> Utf8);

/// <summary>
/// A WebSocket of a user. One loop sends: first what is pending in the storage, then what <see cref="TrySend"/> has queued. One loop receives
/// acknowledgements. <see cref="TrySend"/> and <see cref="Close"/> are thread-safe; <see cref="RunAsync"/> is called once.
/// </summary>
internal sealed class Connection(
    string userId, bool wantsChanges, INotificationStore store, ChangeStates states, NotificationsOptions options, TimeProvider time, ILogger logger)
{
    private const int PendingPage = 100;

    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(5);

    private readonly Channel<Frame> _queue = Channel.CreateBounded<Frame>(
        new BoundedChannelOptions(options.MaxQueuedPerConnection) { SingleReader = true });

    private readonly TaskCompletionSource<(WebSocketCloseStatus Status, string Reason)> _closing = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Cancelled, it aborts the socket. Not disposed, because TrySend may cancel it at any time.
    private readonly CancellationTokenSource _abort = new();

    // Used by the send loop only: the last ids that were sent. What is in the storage and in the queue is sent once.
    private HashSet<string>? _sent;
    private Queue<string>? _sentInOrder;

    // Used by the receive loop only.
    private long _second;
    private int _inSecond;

    public string UserId => userId;

    /// <summary>Whether the client asked for changes of states, too.</summary>
    public bool WantsChanges => wantsChanges;

    /// <summary>Queues a frame. Does not wait: a client that is too slow is dropped, and gets what it missed when it connects again.</summary>
    public void TrySend(in Frame frame)
    {
        if (!_queue.Writer.TryWrite(frame) && !_closing.Task.IsCompleted)
        {
            Drop("its queue is full");
        }
    }

    /// <summary>Says goodbye. Only the first reason counts.</summary>
    public void Close(WebSocketCloseStatus status, string reason) => _closing.TrySetResult((status, reason));

    /// <summary>Serves the socket until either side closes it or it breaks.</summary>
    public async Task RunAsync(WebSocket socket)
    {
        var sending = SendAllAsync(socket);
        var receiving = ReceiveAllAsync(socket);
        try
        {
            var ended = await Task.WhenAny(sending, receiving, _closing.Task);
            Close(WebSocketCloseStatus.NormalClosure, "");
            _queue.Writer.TryComplete();
            _abort.CancelAfter(CloseTimeout);
            await ended;
            await sending;
            var (status, reason) = await _closing.Task;
            await socket.CloseOutputAsync(status, reason, _abort.Token);
            await receiving;
            if (socket.State is WebSocketState.CloseSent)
            {
                await socket.CloseAsync(status, reason, _abort.Token);   // what it still sends is ignored
            }
        }
        catch (Exception broken) when (broken is WebSocketException or OperationCanceledException or IOException)
        {
            // The client is gone, was dropped, or did not answer a ping.
            socket.Abort();
        }
        finally
        {
            await _abort.CancelAsync();
            await Task.WhenAll(sending, receiving).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task SendAllAsync(WebSocket socket)
    {
        if (!await SendPendingAsync(socket))
        {
            return;
        }

        await foreach (var frame in _queue.Reader.ReadAllAsync(_abort.Token))
        {
            if (frame.Id is null || IsFirst(frame.Id))
            {
                await SendAsync(socket, frame.Utf8);
            }
        }
    }

    // What is stored meanwhile is in the queue already, since the connection is registered before.
    private async Task<bool> SendPendingAsync(WebSocket socket)
    {
        IReadOnlyList<StoredNotification> page;
        var after = 0L;
        do
        {
            try
            {
                page = await store.PendingAsync(userId, after, PendingPage, _abort.Token);
            }
            catch (StoreUnavailableException failure)
            {
                logger.LogWarning("The pending notifications of a user cannot be read: {Reason}", failure.Message);
                Close((WebSocketCloseStatus)1013, "The storage does not answer. Try again later.");
                return false;
            }

            foreach (var notification in page)
            {
                after = notification.Position;
                if (IsFirst(notification.Id))
                {
                    await SendAsync(socket, FrameJson.Of(notification));
                }
            }
        }
        while (page.Count == PendingPage && !_closing.Task.IsCompleted);

        return true;
    }

    private bool IsFirst(string id)
    {
        _sent ??= new HashSet<string>(StringComparer.Ordinal);
        _sentInOrder ??= new Queue<string>();
        if (!_sent.Add(id))
        {
            return false;
        }

        _sentInOrder.Enqueue(id);
        if (_sentInOrder.Count > options.MaxQueuedPerConnection + PendingPage)
        {
            _sent.Remove(_sentInOrder.Dequeue());
        }

        return true;
    }

    private async Task SendAsync(WebSocket socket, ReadOnlyMemory<byte> utf8)
    {
        var sent = socket.SendAsync(utf8, WebSocketMessageType.Text, endOfMessage: true, _abort.Token);
        if (sent.IsCompletedSuccessfully)
        {
            return;
        }

        var waiting = sent.AsTask();
        if (await Task.WhenAny(waiting, Task.Delay(options.SendTimeout, time, _abort.Token)) != waiting && !_abort.IsCancellationRequested)
        {
            Drop("it accepts nothing");
        }

        await waiting;
    }

    private void Drop(string reason)
    {
        logger.LogInformation("A client was too slow and is dropped: {Reason}", reason);
        Close(WebSocketCloseStatus.PolicyViolation, "Too slow.");
        _abort.Cancel();
    }

    private async Task ReceiveAllAsync(WebSocket socket)
    {
        while (true)
        {
            // No memory is held while nothing comes.
            if ((await socket.ReceiveAsync(Memory<byte>.Empty, _abort.Token)).MessageType is WebSocketMessageType.Close)
            {
                return;
            }

            var buffer = ArrayPool<byte>.Shared.Rent(options.MaxClientMessageBytes);
            try
            {
                var length = 0;
                ValueWebSocketReceiveResult part;
                do
                {
                    part = await socket.ReceiveAsync(buffer.AsMemory(length, options.MaxClientMessageBytes - length), _abort.Token);
                    length += part.Count;
                    if (length == options.MaxClientMessageBytes && !part.EndOfMessage)
                    {
                        Close(WebSocketCloseStatus.MessageTooBig, $"A message has at most {options.MaxClientMessageBytes} bytes.");
                        return;
                    }
                }
                while (!part.EndOfMessage && part.MessageType is not WebSocketMessageType.Close);

                if (part.MessageType is WebSocketMessageType.Close || !await HandleAsync(buffer.AsMemory(0, length)))
                {
                    return;
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }

    private async Task<bool> HandleAsync(ReadOnlyMemory<byte> utf8)
    {
        if (IsTooFast())
        {
            Close(WebSocketCloseStatus.PolicyViolation, $"At most {options.MaxClientMessagesPerSecond} messages a second.");
            return false;
        }

        if (FrameJson.ReadAck(utf8) is not { } ids)
        {
            Close(WebSocketCloseStatus.InvalidPayloadData, "Send {\"ack\":[\"id\"]}, or nothing.");
            return false;
        }

        try
        {
            await states.ChangeAsync(userId, new StateChange(NotificationState.Delivered, ids, UpTo: null), _abort.Token);
        }
        catch (StoreUnavailableException failure)
        {
            logger.LogWarning("{Count} acknowledgement(s) are lost, and what they name will be sent again: {Reason}", ids.Count, failure.Message);
        }

        return true;
    }

    private bool IsTooFast()
    {
        var second = time.GetTimestamp() / time.TimestampFrequency;
        if (second != _second)
        {
            (_second, _inSecond) = (second, 0);
        }

        return ++_inSecond > options.MaxClientMessagesPerSecond;
    }
}
