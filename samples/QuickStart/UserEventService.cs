using Narad.Kafka;

namespace QuickStart;

/// <summary>Publishes what users do. Events that are published before the connection wait in memory. Not thread-safe before it is connected.</summary>
internal sealed class UserEventService(IKafkaService kafka)
{
    private readonly Queue<Func<Task>> _unsent = new();

    /// <summary>Connects, and sends what waited for the connection.</summary>
    public async Task InitAsync()
    {
        await kafka.Init().ConnectProducerAsync();
        while (_unsent.TryDequeue(out var sendAsync))
        {
            await sendAsync();
        }
    }

    public async Task PublishUserLoginAsync(string userId, Dictionary<string, object>? metadata = null)
    {
        if (await PublishAsync("user-events", new UserLogin(userId, DateTimeOffset.UtcNow) { Metadata = metadata }, userId))
        {
            Console.WriteLine($"Published login event for user: {userId}");
        }
    }

    public Task PublishUserActionAsync(string userId, string action, Dictionary<string, object>? data = null) =>
        PublishAsync("user-activity", new UserAction(userId, action, DateTimeOffset.UtcNow, data), userId);

    // The user is the key: events of one user stay in order.
    private async Task<bool> PublishAsync<T>(string topic, T message, string userId)
    {
        try
        {
            await kafka.SendAsync(topic, message, key: userId);
            return true;
        }
        catch (KafkaNotConnectedException)   // its message contains "not connected"
        {
            Console.WriteLine("Kafka not available, implementing fallback...");
            _unsent.Enqueue(() => PublishAsync(topic, message, userId));   // a file or a database would outlive the process
            return false;
        }
        catch (KafkaSendException error)
        {
            Console.Error.WriteLine($"Kafka send error: {error.Message}");
            throw;
        }
    }
}
