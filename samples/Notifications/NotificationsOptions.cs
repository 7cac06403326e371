using System.ComponentModel.DataAnnotations;

namespace Notifications;

/// <summary>Section <c>Notifications</c> of the configuration.</summary>
internal sealed class NotificationsOptions
{
    public const string Section = "Notifications";

    /// <summary>The key that tokens are signed with (HMAC SHA-256): 32 characters or more. Default none: no token is accepted.</summary>
    [MinLength(32, ErrorMessage = "Notifications:TokenKey needs 32 characters or more: openssl rand -hex 32")]
    public string? TokenKey { get; set; }

    /// <summary>Origins of pages, besides the server's own, that may connect, such as https://shop.example.</summary>
    public IList<string> AllowedOrigins { get; } = [];

    /// <summary>How long a notification without <c>expiresAt</c> is kept. Default 30 days.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "3650.00:00:00")]
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(30);

    /// <summary>Connections of a user to this instance. Default 10.</summary>
    [Range(1, 10_000)]
    public int MaxConnectionsPerUser { get; set; } = 10;

    /// <summary>Connections to this instance. Default 20,000.</summary>
    [Range(1, 1_000_000)]
    public int MaxConnections { get; set; } = 20_000;

    /// <summary>What may wait to be sent on a connection, before it is closed as too slow. Default 1,000.</summary>
    [Range(1, 100_000)]
    public int MaxQueuedPerConnection { get; set; } = 1_000;

    /// <summary>How long the client's side may accept nothing, before the connection is closed as too slow. Default 15 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan SendTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How often a ping is sent. Default 15 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long the answer to a ping may take, before the connection counts as dead. Default 15 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan HeartbeatTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>The bytes of a message from a client. Default 16 KiB.</summary>
    [Range(64, 1024 * 1024)]
    public int MaxClientMessageBytes { get; set; } = 16 * 1024;

    /// <summary>Messages from a client in a second. Default 50.</summary>
    [Range(1, 10_000)]
    public int MaxClientMessagesPerSecond { get; set; } = 50;

    /// <summary>Requests of a user, and of an address without a user, in a second. Default 100.</summary>
    [Range(1, 100_000)]
    public int MaxRequestsPerSecond { get; set; } = 100;
}
