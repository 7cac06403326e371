using System.Runtime.CompilerServices;
using Narad.Kafka.Transactions;

namespace Narad.Kafka.Inbox;

/// <summary>Keeps what a handler sends until its database transaction is committed. Thread-safe while the handler runs; sent by one caller
/// afterwards.</summary>
internal sealed class DeferredSends(IMessageSender sender) : IMessageSender
{
    private readonly Lock _lock = new();
    private readonly List<Func<CancellationToken, ValueTask<SendResult>>> _sends = [];
    private bool _isOver;

    public IMessageRoutes Routes => sender.Routes;

    public ValueTask<SendResult> SendAsync<T>(string topic, T message, MessageKey key, SendOptions? options, CancellationToken cancellationToken) =>
        Keep(topic, token => sender.SendAsync(topic, message, key, options, token));

    public ValueTask<SendResult> SendTombstoneAsync(string topic, MessageKey key, SendOptions? options, CancellationToken cancellationToken) =>
        Keep(topic, token => sender.SendTombstoneAsync(topic, key, options, token));

    /// <summary>Nothing more is taken: the handler returned.</summary>
    /// <returns>What it sent, in order.</returns>
    public IReadOnlyList<Func<CancellationToken, ValueTask<SendResult>>> Close()
    {
        lock (_lock)
        {
            _isOver = true;
            return _sends;
        }
    }

    private ValueTask<SendResult> Keep(string topic, Func<CancellationToken, ValueTask<SendResult>> send, [CallerMemberName] string caller = "")
    {
        lock (_lock)
        {
            if (_isOver)
            {
                throw new InvalidOperationException($"{caller}: the handler has returned, and what it sent is committed or dropped. Await what you send "
                    + $"before you return.");
            }

            _sends.Add(send);
        }

        return new ValueTask<SendResult>(new SendResult(topic, -1, -1));
    }
}
