using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Narad.Kafka.Configuration;

/// <summary>What is wrong with TLS and logging in, whoever runs the brokers.</summary>
internal static class SecurityRules
{
    /// <summary>The setting that allows a broker's certificate to be unchecked.</summary>
    public const string AllowUnverified = "Kafka:Ssl:AllowUnverifiedInProduction";

    /// <summary>Checks.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="strict">Whether the environment is another one than Development: "Prod" and "Staging" hold real secrets, too.</param>
    /// <param name="check">Collects what is wrong.</param>
    public static void Check(KafkaOptions options, bool strict, Findings check)
    {
        CheckTls(options.Ssl, strict, check);
        RawSecurityRules.Check(options, strict, check);
        ClientCertificate.Check(options.Ssl, TimeProvider.System.GetUtcNow(), check);
        CheckLogin(options, strict, check);
    }

    private static void CheckTls(SslOptions ssl, bool strict, Findings check)
    {
        if (ssl is { Enabled: true, RejectUnauthorized: false })
        {
            if (strict && !ssl.AllowUnverifiedInProduction)
            {
                check.Error(
                    "Ssl:RejectUnauthorized",
                    false,
                    $"in Production anybody could pose as the broker, as in every environment but Development: give the authority as Kafka:Ssl:Ca "
                        + $"(KAFKA_SSL_CA), or allow it by {AllowUnverified} = true");
            }
            else
            {
                check.Warn("Ssl:RejectUnauthorized", false,
                    "certificates are not checked, so anybody can pose as the broker. Give the authority as Kafka:Ssl:Ca (KAFKA_SSL_CA) instead");
            }
        }

        if (string.IsNullOrWhiteSpace(ssl.Ca))
        {
            return;
        }

        if (!ssl.Enabled)
        {
            check.Warnings.Add($"{SettingNames.Of("Ssl:Ca")} does nothing without TLS: set {SettingNames.Of("Ssl:Enabled")} = true.");
        }
        else if (CertificateText.TryPem(ssl.Ca, out var pem))
        {
            if (!HasCertificate(pem))
            {
                check.ErrorUnshown("Ssl:Ca",
                    "the PEM text has no whole certificate, from BEGIN CERTIFICATE to END CERTIFICATE: give all of it, with line breaks written as \\n where "
                        + "need be");
            }
        }
        else if (!File.Exists(ssl.Ca.Trim()))
        {
            check.ErrorUnshown("Ssl:Ca", "there is no such file: write the path of a PEM file, or the PEM text itself");
        }
        else
        {
            CheckFile(ssl.Ca.Trim(), check);
        }
    }

    private static void CheckFile(string path, Findings check)
    {
        try
        {
            if (!HasCertificate(File.ReadAllText(path)))
            {
                check.Error(
                    "Ssl:Ca", path, "there is no certificate in the file: write the path of a PEM file (a DER file becomes one by: openssl x509 -inform der)");
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            check.Error("Ssl:Ca", path, $"the file cannot be read ({failure.GetType().Name}): let this process read it");
        }
    }

    private static bool HasCertificate(string pem)
    {
        var certificates = new X509Certificate2Collection();
        try
        {
            certificates.ImportFromPem(pem);
        }
        catch (CryptographicException)
        {
            return false;
        }

        foreach (var certificate in certificates)
        {
            certificate.Dispose();
        }

        return certificates.Count > 0;
    }

    private static void CheckLogin(KafkaOptions options, bool strict, Findings check)
    {
        var sasl = options.Sasl;
        if (SaslMechanisms.Parse(sasl.Mechanism) is null)
        {
            check.Error("Sasl:Mechanism", SaslMechanisms.Shown(sasl.Mechanism), $"write one of {string.Join(", ", SaslMechanisms.Names)}");
        }

        var user = !string.IsNullOrEmpty(sasl.Username);
        var password = !string.IsNullOrEmpty(sasl.Password);
        if (SaslMechanisms.MakesTokens(sasl.Mechanism))
        {
            CheckTokens(options, strict, check);
        }
        else if (sasl.TokenProvider is not null)
        {
            check.ErrorUnshown("Sasl:TokenProvider",
                $"{SaslMechanisms.Shown(sasl.Mechanism)} uses no tokens: set {SettingNames.Of("Sasl:Mechanism")} = {SaslMechanisms.OAuthBearer}, or remove "
                    + $"the source");
        }
        else if (user && !password)
        {
            check.ErrorUnshown("Sasl:Password", $"there is a user and no password: set it, or remove {SettingNames.Of("Sasl:Username")}");
        }
        else if (password && !user && !options.IsEventHubs)
        {
            check.ErrorUnshown("Sasl:Username", $"there is a password and no user: set it, or remove {SettingNames.Of("Sasl:Password")}");
        }
        else if (user && !options.Ssl.Enabled && SaslMechanisms.Is(sasl.Mechanism, "plain"))
        {
            CheckPlainText(options, strict, check);
        }

        CheckIdentityProvider(sasl, check);
    }

    private static void CheckPlainText(KafkaOptions options, bool strict, Findings check)
    {
        if (strict && !options.Sasl.AllowPlainWithoutTls && !BrokerList.Split(options.Brokers).All(BrokerList.IsLoopback))
        {
            check.Error(
                "Ssl:Enabled",
                false,
                "with mechanism plain everybody on the way to the broker reads the password: write true, use scram-sha-512, or allow it by "
                    + "Kafka:Sasl:AllowPlainWithoutTls = true. In the environment Development it is a warning");
        }
        else
        {
            check.Warnings.Add($"The password goes over the network as it is: set {SettingNames.Of("Ssl:Enabled")} = true, or use scram-sha-512.");
        }
    }

    private static void CheckTokens(KafkaOptions options, bool strict, Findings check)
    {
        var mechanism = options.Sasl.Mechanism.Trim();
        var given = options.Sasl.TokenProvider is not null;
        var aws = SaslMechanisms.Is(mechanism, SaslMechanisms.AwsMskIam);
        if (aws && !given)
        {
            check.Error("Sasl:Mechanism", mechanism,
                "nothing here makes the tokens of AWS IAM: add the package Narad.Kafka.Aws and .UseMskIam(), or .AddAwsTokens() where the settings may also "
                    + "be others");
        }
        else if (!given && options.Sasl.Oidc is null && !MakesItsOwnTokens(options.ClientProperties))
        {
            check.Error(
                "Sasl:Mechanism",
                mechanism,
                "nothing here makes tokens: set Kafka:Sasl:Oidc (ClientId, ClientSecret, TokenEndpoint), give a Sasl.TokenProvider in code, or let the client "
                    + "fetch them (Kafka:ClientProperties: sasl.oauthbearer.method = oidc, with sasl.oauthbearer.token.endpoint.url, client.id and "
                    + "client.secret)");
        }
        else if ((given || options.Sasl.Oidc is not null) && MakesItsOwnTokens(options.ClientProperties))
        {
            check.ErrorUnshown(given ? "Sasl:TokenProvider"
                : "Sasl:Oidc", $"{SettingNames.Of("ClientProperties")} makes the client fetch tokens itself: remove its sasl.oauthbearer properties, or this");
        }

        if (options.Ssl.Enabled)
        {
            return;
        }

        if (strict || aws)
        {
            check.Error("Ssl:Enabled", false, $"with {mechanism} write true: a token is a password");
        }
        else
        {
            check.Warn("Ssl:Enabled", false, $"tokens go over the network as they are, and {mechanism} is refused without TLS outside of Development");
        }
    }

    private static void CheckIdentityProvider(SaslOptions sasl, Findings check)
    {
        if (sasl.Oidc is not { } oidc)
        {
            return;
        }

        if (!SaslMechanisms.Is(sasl.Mechanism, SaslMechanisms.OAuthBearer))
        {
            check.Error("Sasl:Mechanism", SaslMechanisms.Shown(sasl.Mechanism),
                $"there is an identity provider in {SettingNames.Of("Sasl:Oidc")}, whose tokens only {SaslMechanisms.OAuthBearer} takes: write that, or "
                    + $"remove it");
        }

        if (string.IsNullOrWhiteSpace(oidc.ClientId))
        {
            check.Error("Sasl:Oidc:ClientId", "", "write the application's id at the identity provider");
        }

        if (string.IsNullOrEmpty(oidc.ClientSecret))
        {
            check.ErrorUnshown("Sasl:Oidc:ClientSecret", "it is empty: set the secret of the client id");
        }

        if (TokenEndpointError(oidc.TokenEndpoint) is { } error)
        {
            check.ErrorUnshown("Sasl:Oidc:TokenEndpoint", error);
        }
    }

    /// <summary>
    /// What is wrong with the address that tokens are asked for at, whichever setting names it; null where nothing is. Never a part of the address.
    /// </summary>
    public static string? TokenEndpointError(string? address)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out var endpoint) || endpoint is not { Scheme: "https" or "http" })
        {
            return "write the address that tokens are asked for at, such as https://login.example.com/oauth2/token";
        }

        return endpoint is { Scheme: "http", IsLoopback: false } ? "the secret would go over the network as it is: write https" : null;
    }

    // These are librdkafka's own ways to a token; it needs no callback for them.
    private static bool MakesItsOwnTokens(IDictionary<string, string> client) =>
        (client.TryGetValue("sasl.oauthbearer.method", out var method) && string.Equals(method, "oidc", StringComparison.OrdinalIgnoreCase)) ||
        (client.TryGetValue("enable.sasl.oauthbearer.unsecure.jwt", out var unsecure) && string.Equals(unsecure, "true", StringComparison.OrdinalIgnoreCase));
}
