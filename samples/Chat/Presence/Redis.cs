using System.Text.Json;
using Chat.Log;
using Chat.Rooms;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Narad.Kafka;
using StackExchange.Redis;

namespace Chat.Presence;

/// <summary>
/// Redis in the place that the document gives it: who is online, and immediate delivery. Messages go to Kafka first, which gives them their place in the
/// room, and then through Redis to all instances. A message that Redis loses comes from Kafka a little later. Thread-safe.
/// </summary>
internal sealed class Redis(ChatOptions options, ILogger<Redis> logger) : IPresenceChannel, IEarlyDelivery, IHealthCheck, IAsyncDisposable
{
    private static readonly JsonSerializerOptions Json = JsonSerializerOptions.Web;

    private readonly SemaphoreSlim _connecting = new(1);
    private readonly RedisChannel _presence = RedisChannel.Literal($"{options.PresenceTopic}:presence");
    private readonly RedisChannel _messages = RedisChannel.Literal($"{options.MessagesTopic}:messages");
    private ConnectionMultiplexer? _connection;

    public static ConfigurationOptions Parse(string url)
    {
        var hint = new KafkaConfigurationException(
            ["REDIS_URL is no address of a Redis server. Write redis://localhost:6379, or rediss://user:password@host:6380 for TLS."]);
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("redis" or "rediss") || uri.Host.Length == 0)
        {
            throw hint;
        }

        var configuration = new ConfigurationOptions
        {
            EndPoints = { { uri.Host, uri.Port > 0 ? uri.Port : 6379 } }, Ssl = uri.Scheme == "rediss", AbortOnConnectFail = false, ConnectTimeout = 2_000,
        };
        if (uri.UserInfo.Split(':', 2) is [var user, var password])
        {
            (configuration.User, configuration.Password) = (user.Length == 0 ? null : Uri.UnescapeDataString(user), Uri.UnescapeDataString(password));
        }

        return configuration;
    }

    public async Task SubscribeAsync(Action<PresenceRecord> receive, CancellationToken cancellationToken) =>
        await SubscribeAsync(_presence, receive);

    public async Task PublishAsync(IReadOnlyList<PresenceRecord> records)
    {
        foreach (var record in records)
        {
            await PublishAsync(_presence, record);
        }
    }

    public async Task SubscribeAsync(Action<ChatRecord, int, long> receive, CancellationToken cancellationToken) =>
        await SubscribeAsync<EarlyRecord>(_messages, early => receive(early.Record, early.Partition, early.Offset));

    public async Task PublishAsync(ChatRecord record, int partition, long offset)
    {
        try
        {
            await PublishAsync(_messages, new EarlyRecord(record, partition, offset));
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            logger.LogDebug("Redis does not answer; the message is delivered from Kafka: {Reason}", failure.Message);
        }
    }

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        (await ConnectionAsync()).IsConnected
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Degraded("Redis does not answer. Messages are delivered from Kafka; who is online is not known.");

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null)
        {
            await _connection.DisposeAsync();
        }

        _connecting.Dispose();
    }

    private async Task SubscribeAsync<T>(RedisChannel channel, Action<T> receive)
    {
        var queue = await (await ConnectionAsync()).GetSubscriber().SubscribeAsync(channel);
        queue.OnMessage(message =>
        {
            try
            {
                if (JsonSerializer.Deserialize<T>((string)message.Message!, Json) is { } record)
                {
                    receive(record);
                }
            }
            catch (JsonException failure)
            {
                logger.LogWarning("A message in {Channel} of Redis cannot be read: {Reason}", (string?)channel, failure.Message);
            }
        });
    }

    private async Task PublishAsync<T>(RedisChannel channel, T record) =>
        await (await ConnectionAsync()).GetSubscriber().PublishAsync(channel, JsonSerializer.Serialize(record, Json));

    private async Task<ConnectionMultiplexer> ConnectionAsync()
    {
        if (_connection is { } made)
        {
            return made;
        }

        await _connecting.WaitAsync();
        try
        {
            return _connection ??= await ConnectionMultiplexer.ConnectAsync(Parse(options.RedisUrl!));
        }
        finally
        {
            _connecting.Release();
        }
    }

    private sealed record EarlyRecord(ChatRecord Record, int Partition, long Offset);
}
