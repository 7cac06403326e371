namespace Narad.Kafka.Tests.Connecting;

/// <summary>Settings that connect to nothing, by the name that docs/troubleshooting.md has for each.</summary>
internal static class WrongSetUps
{
    public static readonly IReadOnlyDictionary<string, Func<ICollection<IDisposable>, KafkaOptions>> Connecting = new Dictionary<string,
        Func<ICollection<IDisposable>, KafkaOptions>>(StringComparer.Ordinal)
    {
        ["wrong password (plain)"] = _ => Login(Listeners.Sasl, "plain", password: "not-it-1"),
        ["wrong password (SCRAM)"] = _ => Login(Listeners.Sasl, "scram-sha-512", password: "not-it-2"),
        ["a user that only another mechanism knows"] = _ => Login(Listeners.Sasl, "scram-sha-256", user: "denied", password: "denied-secret"),
        ["a mechanism that the listener does not know"] = _ => Trusting(Login(Listeners.MskIam, "scram-sha-512")),
        ["a login where the listener knows none"] = _ => Login(Listeners.Plaintext, "plain"),
        ["no login where the listener asks for one"] = _ => Options(Listeners.Sasl),
        ["no login, with TLS"] = _ => Trusting(Options(Listeners.SaslTls)),
        ["a token that the broker does not take"] = _ =>
            WithTokens(new() { ["enable.sasl.oauthbearer.unsecure.jwt"] = "true", ["sasl.oauthbearer.config"] = "principalClaimName=nobody principal=narad" }),
        ["a token that has expired"] = _ =>
            WithTokenSource(_ =>
                ValueTask.FromResult(new OAuthBearerToken(Jwt(DateTimeOffset.UtcNow.AddMinutes(-10)), DateTimeOffset.UtcNow.AddHours(1), "narad"))),
        ["a token source that fails"] = _ => WithTokenSource(_ => throw new InvalidOperationException("the vault is sealed")),
        ["nobody makes a token"] = _ => WithTokens(new()
        {
            ["sasl.oauthbearer.method"] = "oidc",
            ["sasl.oauthbearer.client.id"] = "narad",
            ["sasl.oauthbearer.client.secret"] = "oidc-secret",
            ["sasl.oauthbearer.token.endpoint.url"] = "http://127.0.0.1:1/token",
        }),
        ["another authority than the brokers'"] = _ => Trusting(Login(Listeners.SaslTls, "plain"), Listeners.OtherCa),
        ["a private authority, and none given"] = _ => Tls(Login(Listeners.SaslTls, "plain")),
        ["a certificate for other names"] = open => Trusting(Login(Opened(open, TestListener.PassingOnTo(Listeners.SaslTls)), "plain")),
        ["a certificate that has expired"] = open =>
        {
            var broker = Opened(open, TestListener.Expired(out var authority));
            return Trusting(Options(broker), authority);
        },
        ["no client certificate"] = _ => Trusting(Options(Listeners.MutualTls)),
        ["a client certificate of another authority"] = _ =>
        {
            var options = Trusting(Options(Listeners.MutualTls));
            options.Ssl.Certificate = Listeners.Beside("other-client.pem");
            options.Ssl.Key = Listeners.Beside("other-client.key");
            return options;
        },
        ["TLS to a plain-text port"] = _ => Trusting(Options(Listeners.Plaintext)),
        ["TLS and a login to a port without TLS"] = _ => Trusting(Login(Listeners.Sasl, "plain")),
        ["plain text to a TLS port"] = _ => Options(Listeners.MutualTls),
        ["a login without TLS to a TLS port"] = _ => Login(Listeners.SaslTls, "scram-sha-512"),
        ["a host that nobody knows"] = _ => Options("no-such-host.invalid:9092"),
        ["nobody listens"] = _ => Options(Service.ConnectionTests.Nobody()),
        ["a port that accepts and never answers"] = open => Options(Opened(open, TestListener.Silent())),
        ["an advertised address that cannot be reached"] = _ => Options(Listeners.Proxied),
    };

    public static KafkaOptions Options(string brokers) =>
        new() { Mode = KafkaMode.Kafka, Brokers = brokers, Environment = "Staging", ConnectTimeout = TimeSpan.FromSeconds(3) };

    public static KafkaOptions Login(string brokers, string mechanism, string? user = null, string? password = null)
    {
        var options = Options(brokers);
        options.Sasl.Mechanism = mechanism;
        options.Sasl.Username = user ?? Listeners.User;
        options.Sasl.Password = password ?? Listeners.Password;
        return options;
    }

    public static KafkaOptions Trusting(KafkaOptions options, string? authority = null)
    {
        options.Ssl.Ca = authority ?? Listeners.Ca;
        return Tls(options);
    }

    private static KafkaOptions Tls(KafkaOptions options)
    {
        options.Ssl.Enabled = true;
        return options;
    }

    private static KafkaOptions WithTokens(Dictionary<string, string> properties)
    {
        var options = Trusting(Options(Listeners.SaslTls));
        options.Sasl.Mechanism = "oauthbearer";
        foreach (var (name, value) in properties)
        {
            options.ClientProperties[name] = value;
        }

        return options;
    }

    private static KafkaOptions WithTokenSource(OAuthBearerTokenProvider source)
    {
        var options = WithTokens(new Dictionary<string, string>(StringComparer.Ordinal));
        options.Sasl.TokenProvider = source;
        return options;
    }

    // Without a signature, as the test listeners take it.
    private static string Jwt(DateTimeOffset expires)
    {
        return string.Join('.', Part("""{"alg":"none"}"""), Part($$"""{"sub":"narad","iat":{{expires.AddHours(-1).ToUnixTimeSeconds()}},"exp":{{expires.ToUnixTimeSeconds()}}}"""), "");

        static string Part(string json) => System.Buffers.Text.Base64Url.EncodeToString(System.Text.Encoding.UTF8.GetBytes(json));
    }

    private static string Opened(ICollection<IDisposable> open, TestListener listener)
    {
        open.Add(listener);
        return listener.Address;
    }
}
