using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Narad.Kafka;

namespace Chat.Security;

/// <summary>Signs sessions with HMAC-SHA256, and checks them. Thread-safe.</summary>
internal sealed class SessionTokens
{
    private const int LeastKeyLength = 32;

    private readonly byte[] _key;
    private readonly TimeSpan _lifetime;
    private readonly TimeProvider _time;
    private readonly SignedOutUsers _signedOut;

    /// <param name="options">The key, and how long a session lasts.</param>
    /// <param name="processKey">The key of this process, where none is configured.</param>
    /// <param name="signedOut">Whose sessions are over.</param>
    /// <param name="time">The clock.</param>
    public SessionTokens(ChatOptions options, byte[] processKey, SignedOutUsers signedOut, TimeProvider time)
    {
        _key = options.SigningKey is null ? processKey : Encoding.UTF8.GetBytes(options.SigningKey);
        _lifetime = options.SessionLifetime;
        _signedOut = signedOut;
        _time = time;
    }

    /// <exception cref="KafkaConfigurationException">The key is too short.</exception>
    public static void ThrowIfInvalid(ChatOptions options)
    {
        if (options.SigningKey is { Length: < LeastKeyLength })
        {
            throw new KafkaConfigurationException(
                [$"CHAT_SIGNING_KEY (Chat:SigningKey) has fewer than {LeastKeyLength} characters. Make one with: openssl rand -base64 32"]);
        }
    }

    public string Create(string userId, string name)
    {
        var content = JsonSerializer.SerializeToUtf8Bytes(new SessionContent(userId, name, _time.GetUtcNow()));
        return $"{Base64Url.EncodeToString(content)}.{Base64Url.EncodeToString(HMACSHA256.HashData(_key, content))}";
    }

    /// <summary>The session; null where the token is not ours, has expired, or the user signed out since.</summary>
    public SessionContent? Read(string? token)
    {
        if (token?.Split('.') is not [var first, var second])
        {
            return null;
        }

        try
        {
            var content = Base64Url.DecodeFromChars(first);
            if (!CryptographicOperations.FixedTimeEquals(HMACSHA256.HashData(_key, content), Base64Url.DecodeFromChars(second)))
            {
                return null;
            }

            var session = JsonSerializer.Deserialize<SessionContent>(content)!;
            return session.SignedInAt + _lifetime <= _time.GetUtcNow() || _signedOut.Includes(session.UserId, session.SignedInAt) ? null : session;
        }
        catch (FormatException)
        {
            return null;
        }
    }

    public DateTimeOffset EndOf(SessionContent session) => session.SignedInAt + _lifetime;
}

/// <summary>What a session's token says.</summary>
internal sealed record SessionContent(string UserId, string Name, DateTimeOffset SignedInAt);
