namespace Chat;

/// <summary>Section <c>Chat</c>, and the variables of the topics.</summary>
internal sealed class ChatOptions
{
    /// <summary>A message's text has at most so many bytes of UTF-8.</summary>
    public const int MaxTextBytes = 4096;

    /// <summary>The key that signs sessions: at least 32 characters, the same for all instances. Default: one of this process alone.</summary>
    public string? SigningKey { get; set; }

    /// <summary>How long a session lasts. Default 12 h.</summary>
    public TimeSpan SessionLifetime { get; set; } = TimeSpan.FromHours(12);

    /// <summary>Other origins whose pages may use this server, such as https://chat.example.org behind a proxy. Default: none.</summary>
    public IList<string> AllowedOrigins { get; } = [];

    /// <summary>Messages per second that a user may send to one instance, on average. Default 10.</summary>
    public int MessagesPerSecond { get; set; } = 10;

    /// <summary>Messages that a user may send to one instance at once. Default 50.</summary>
    public int MessageBurst { get; set; } = 50;

    /// <summary>REST requests per second of a user to one instance. Default 50.</summary>
    public int RequestsPerSecond { get; set; } = 50;

    /// <summary>Sign-ins per minute from one address to one instance. Default 300.</summary>
    public int SignInsPerMinute { get; set; } = 300;

    /// <summary>Events that may wait for a slow client; one more, and the connection is closed. Default 1,000.</summary>
    public int QueueCapacity { get; set; } = 1_000;

    /// <summary>How often an instance says that it runs. Default 2 s.</summary>
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>The users of an instance that said nothing for so long are offline. Default 6 s.</summary>
    public TimeSpan OfflineAfter { get; set; } = TimeSpan.FromSeconds(6);

    /// <summary>Messages and membership; <c>KAFKA_TOPIC_CHAT_MESSAGES</c>.</summary>
    public string MessagesTopic { get; set; } = "chat-messages";

    /// <summary>Receipts and ended sessions; <c>KAFKA_TOPIC_MESSAGE_PERSISTENCE</c>.</summary>
    public string StateTopic { get; set; } = "message-persistence";

    /// <summary>Presence and typing, unless Redis has them; <c>KAFKA_TOPIC_CHAT_PRESENCE</c>.</summary>
    public string PresenceTopic { get; set; } = "chat-presence";

    /// <summary>A Redis server for presence, typing and early delivery; <c>REDIS_URL</c>. Default: none.</summary>
    public string? RedisUrl { get; set; }

    public static ChatOptions From(IConfiguration configuration)
    {
        var options = new ChatOptions();
        configuration.GetSection("Chat").Bind(options);
        options.MessagesTopic = Text("KAFKA_TOPIC_CHAT_MESSAGES") ?? options.MessagesTopic;
        options.StateTopic = Text("KAFKA_TOPIC_MESSAGE_PERSISTENCE") ?? options.StateTopic;
        options.PresenceTopic = Text("KAFKA_TOPIC_CHAT_PRESENCE") ?? options.PresenceTopic;
        options.RedisUrl = Text("REDIS_URL") ?? options.RedisUrl;
        options.SigningKey = Text("CHAT_SIGNING_KEY") ?? options.SigningKey;
        return options;

        string? Text(string name) => configuration[name] is { } value && !string.IsNullOrWhiteSpace(value) ? value : null;
    }
}
