namespace Narad.Kafka;

/// <summary>
/// Security by the provider's name. What is given here replaces the login that configuration and environment name, and sets
/// <see cref="KafkaOptions.Provider"/>; nothing is checked before start, when every error is reported at once. No secret given here appears in a log or an
/// exception.
/// </summary>
public static class KafkaProviderExtensions
{
    /// <summary>A broker of one's own, in plain text and without a login.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="brokers">Where it is; default: as configured, else <c>localhost:9092</c>.</param>
    public static KafkaOptions UseLocal(this KafkaOptions options, string? brokers = null)
    {
        Use(options, KafkaProvider.Local, new SaslOptions());
        options.Brokers = brokers ?? options.Brokers;
        return options;
    }

    /// <inheritdoc cref="UseLocal(KafkaOptions, string?)" path="/summary"/>
    /// <param name="builder">The builder.</param>
    /// <param name="brokers">Where it is; default: as configured, else <c>localhost:9092</c>.</param>
    public static NaradKafkaBuilder UseLocal(this NaradKafkaBuilder builder, string? brokers = null) =>
        Configure(builder, options => options.UseLocal(brokers));

    /// <summary>Confluent Cloud with an API key. <see cref="KafkaOptions.Brokers"/> is the cluster's bootstrap server, port 9092.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="apiKey">The key; the user.</param>
    /// <param name="apiSecret">Its secret; the password.</param>
    public static KafkaOptions UseConfluentCloud(this KafkaOptions options, string apiKey, string apiSecret) =>
        Use(options, KafkaProvider.ConfluentCloud, new SaslOptions { Username = apiKey, Password = apiSecret });

    /// <inheritdoc cref="UseConfluentCloud(KafkaOptions, string, string)" path="/summary"/>
    /// <param name="builder">The builder.</param>
    /// <param name="apiKey">The key; the user.</param>
    /// <param name="apiSecret">Its secret; the password.</param>
    public static NaradKafkaBuilder UseConfluentCloud(this NaradKafkaBuilder builder, string apiKey, string apiSecret) =>
        Configure(builder, options => options.UseConfluentCloud(apiKey, apiSecret));

    /// <summary>Confluent Cloud with tokens of an identity provider. <see cref="KafkaOptions.Brokers"/> is the cluster's bootstrap server, port 9092.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="clientId">The application's id at the identity provider.</param>
    /// <param name="clientSecret">Its secret.</param>
    /// <param name="tokenEndpoint">Where tokens are asked for; an <c>https</c> address.</param>
    /// <param name="logicalCluster">The cluster's id, <c>lkc-…</c>.</param>
    /// <param name="identityPoolId">The identity pool, <c>pool-…</c>; default: Confluent Cloud finds it by the token's claims.</param>
    /// <param name="scope">What the token is for, where the identity provider asks for it.</param>
    public static KafkaOptions UseConfluentCloudOidc(
        this KafkaOptions options, string clientId, string clientSecret, string tokenEndpoint, string logicalCluster, string? identityPoolId = null,
            string? scope = null)
    {
        Use(options, KafkaProvider.ConfluentCloud, new SaslOptions
        {
            Oidc = new OidcOptions
            {
                ClientId = clientId,
                ClientSecret = clientSecret,
                TokenEndpoint = tokenEndpoint,
                LogicalCluster = logicalCluster,
                IdentityPoolId = identityPoolId,
                Scope = scope,
            },
        });
        options.Sasl.Mechanism = Configuration.SaslMechanisms.OAuthBearer;
        return options;
    }

    /// <inheritdoc cref="UseConfluentCloudOidc(KafkaOptions, string, string, string, string, string?, string?)" path="/summary"/>
    /// <param name="builder">The builder.</param>
    /// <param name="clientId">The application's id at the identity provider.</param>
    /// <param name="clientSecret">Its secret.</param>
    /// <param name="tokenEndpoint">Where tokens are asked for; an <c>https</c> address.</param>
    /// <param name="logicalCluster">The cluster's id, <c>lkc-…</c>.</param>
    /// <param name="identityPoolId">The identity pool, <c>pool-…</c>; default: Confluent Cloud finds it by the token's claims.</param>
    /// <param name="scope">What the token is for, where the identity provider asks for it.</param>
    public static NaradKafkaBuilder UseConfluentCloudOidc(
        this NaradKafkaBuilder builder, string clientId, string clientSecret, string tokenEndpoint, string logicalCluster, string? identityPoolId = null,
            string? scope = null) =>
        Configure(builder, options => options.UseConfluentCloudOidc(clientId, clientSecret, tokenEndpoint, logicalCluster, identityPoolId, scope));

    /// <summary>
    /// Amazon MSK with a user and a password of Secrets Manager (SCRAM-SHA-512). <see cref="KafkaOptions.Brokers"/> has port 9096, from outside 9196.
    /// </summary>
    /// <param name="options">The settings.</param>
    /// <param name="username">The user in the secret <c>AmazonMSK_…</c>.</param>
    /// <param name="password">The password in it.</param>
    public static KafkaOptions UseMskScram(this KafkaOptions options, string username, string password) =>
        Use(options, KafkaProvider.MskScram, new SaslOptions { Username = username, Password = password });

    /// <inheritdoc cref="UseMskScram(KafkaOptions, string, string)" path="/summary"/>
    /// <param name="builder">The builder.</param>
    /// <param name="username">The user in the secret <c>AmazonMSK_…</c>.</param>
    /// <param name="password">The password in it.</param>
    public static NaradKafkaBuilder UseMskScram(this NaradKafkaBuilder builder, string username, string password) =>
        Configure(builder, options => options.UseMskScram(username, password));

    /// <summary>Amazon MSK with a client certificate. <see cref="KafkaOptions.Brokers"/> has port 9094, from outside 9194.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="certificate">See <see cref="SslOptions.Certificate"/>.</param>
    /// <param name="key">See <see cref="SslOptions.Key"/>.</param>
    /// <param name="keyPassword">See <see cref="SslOptions.KeyPassword"/>.</param>
    public static KafkaOptions UseMskTls(this KafkaOptions options, string certificate, string? key = null, string? keyPassword = null)
    {
        Use(options, KafkaProvider.MskTls, new SaslOptions());
        return Identify(options, certificate, key, keyPassword);
    }

    /// <inheritdoc cref="UseMskTls(KafkaOptions, string, string?, string?)" path="/summary"/>
    /// <param name="builder">The builder.</param>
    /// <param name="certificate">See <see cref="SslOptions.Certificate"/>.</param>
    /// <param name="key">See <see cref="SslOptions.Key"/>.</param>
    /// <param name="keyPassword">See <see cref="SslOptions.KeyPassword"/>.</param>
    public static NaradKafkaBuilder UseMskTls(this NaradKafkaBuilder builder, string certificate, string? key = null, string? keyPassword = null) =>
        Configure(builder, options => options.UseMskTls(certificate, key, keyPassword));

    /// <summary>Amazon MSK without a login. <see cref="KafkaOptions.Brokers"/> has port 9092, with TLS 9094.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="tls">Whether connections are encrypted. Default false.</param>
    public static KafkaOptions UseMskOpen(this KafkaOptions options, bool tls = false)
    {
        Use(options, KafkaProvider.MskOpen, new SaslOptions());
        options.Ssl.Enabled = tls;
        return options;
    }

    /// <inheritdoc cref="UseMskOpen(KafkaOptions, bool)" path="/summary"/>
    /// <param name="builder">The builder.</param>
    /// <param name="tls">Whether connections are encrypted. Default false.</param>
    public static NaradKafkaBuilder UseMskOpen(this NaradKafkaBuilder builder, bool tls = false) => Configure(builder, options => options.UseMskOpen(tls));

    /// <summary>Azure Event Hubs with a connection string. The brokers are those of its endpoint, port 9093, unless others are named.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="connectionString"><c>Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…</c>.</param>
    public static KafkaOptions UseEventHubs(this KafkaOptions options, string connectionString) =>
        Use(options, KafkaProvider.EventHubs, new SaslOptions { Password = connectionString });

    /// <inheritdoc cref="UseEventHubs(KafkaOptions, string)" path="/summary"/>
    /// <param name="builder">The builder.</param>
    /// <param name="connectionString"><c>Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…</c>.</param>
    public static NaradKafkaBuilder UseEventHubs(this NaradKafkaBuilder builder, string connectionString) =>
        Configure(builder, options => options.UseEventHubs(connectionString));

    /// <summary>Logs in as a user, wherever the cluster is.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="username">The user.</param>
    /// <param name="password">The password.</param>
    /// <param name="mechanism"><c>plain</c>, <c>scram-sha-256</c> or <c>scram-sha-512</c>; any case. Default <c>plain</c>.</param>
    public static KafkaOptions Sasl(this KafkaOptions options, string username, string password, string mechanism = "plain")
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Sasl = new SaslOptions
        {
            Mechanism = mechanism, Username = username, Password = password, AllowPlainWithoutTls = options.Sasl.AllowPlainWithoutTls,
        };
        return options;
    }

    /// <inheritdoc cref="Sasl(KafkaOptions, string, string, string)" path="/summary"/>
    /// <param name="builder">The builder.</param>
    /// <param name="username">The user.</param>
    /// <param name="password">The password.</param>
    /// <param name="mechanism"><c>plain</c>, <c>scram-sha-256</c> or <c>scram-sha-512</c>; any case. Default <c>plain</c>.</param>
    public static NaradKafkaBuilder Sasl(this NaradKafkaBuilder builder, string username, string password, string mechanism = "plain") =>
        Configure(builder, options => options.Sasl(username, password, mechanism));

    /// <summary>Encrypts connections, and shows a client certificate where one is given.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="ca">See <see cref="SslOptions.Ca"/>; default: as configured, else the system's store.</param>
    /// <param name="certificate">See <see cref="SslOptions.Certificate"/>; default: as configured.</param>
    /// <param name="key">See <see cref="SslOptions.Key"/>.</param>
    /// <param name="keyPassword">See <see cref="SslOptions.KeyPassword"/>.</param>
    public static KafkaOptions Tls(this KafkaOptions options, string? ca = null, string? certificate = null, string? key = null, string? keyPassword = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Ssl.Enabled = true;
        options.Ssl.Ca = ca ?? options.Ssl.Ca;
        return certificate is null ? options : Identify(options, certificate, key, keyPassword);
    }

    /// <inheritdoc cref="Tls(KafkaOptions, string?, string?, string?, string?)" path="/summary"/>
    /// <param name="builder">The builder.</param>
    /// <param name="ca">See <see cref="SslOptions.Ca"/>; default: as configured, else the system's store.</param>
    /// <param name="certificate">See <see cref="SslOptions.Certificate"/>; default: as configured.</param>
    /// <param name="key">See <see cref="SslOptions.Key"/>.</param>
    /// <param name="keyPassword">See <see cref="SslOptions.KeyPassword"/>.</param>
    public static NaradKafkaBuilder Tls(
        this NaradKafkaBuilder builder, string? ca = null, string? certificate = null, string? key = null, string? keyPassword = null) =>
        Configure(builder, options => options.Tls(ca, certificate, key, keyPassword));

    // The login first: the provider's profile completes it.
    private static KafkaOptions Use(KafkaOptions options, KafkaProvider provider, SaslOptions sasl)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Sasl = sasl;
        options.Provider = provider;
        return options;
    }

    // A key of another certificate would be worse than none.
    private static KafkaOptions Identify(KafkaOptions options, string certificate, string? key, string? keyPassword)
    {
        options.Ssl.Certificate = certificate;
        options.Ssl.Key = key;
        options.Ssl.KeyPassword = keyPassword;
        return options;
    }

    private static NaradKafkaBuilder Configure(NaradKafkaBuilder builder, Action<KafkaOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Configure(configure);
    }
}
