using Confluent.Kafka;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Transports;

/// <summary>
/// The one place that knows what librdkafka's words mean: which of them say what, the likely cause, and the settings to look at. Used by the exception
/// of connecting, by the health check, by the logs and by the doctor. Thread-safe.
/// </summary>
/// <remarks>docs/troubleshooting.md has a row for each; a test compares them.</remarks>
internal static class ConnectionFaults
{
    // A listener that asks for a login closes a connection that sends something else first, at once.
    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(2);

    private static readonly string Brokers = SettingNames.Of("Brokers");
    private static readonly string Tls = SettingNames.Of("Ssl:Enabled");
    private static readonly string Authority = SettingNames.Of("Ssl:Ca");
    private static readonly string Certificate = SettingNames.Of("Ssl:Certificate");
    private static readonly string Key = SettingNames.Of("Ssl:Key");
    private static readonly string Mechanism = SettingNames.Of("Sasl:Mechanism");
    private static readonly string User = SettingNames.Of("Sasl:Username");
    private static readonly string Password = SettingNames.Of("Sasl:Password");

    // The first that fits is taken.
    private static readonly Rule[] Rules =
    [
        // ── logging in ──
        new(ConnectionFaultKind.NoToken, (e, _) => e.Says("Failed to acquire SASL OAUTHBEARER token")),
        new(ConnectionFaultKind.WrongMechanism, (e, _) => e.Says("Unsupported SASL mechanism")),
        new(ConnectionFaultKind.LoginNotAsked, (e, _) => e.Says("Request not valid in current SASL state")),
        new(ConnectionFaultKind.TokenRefused, (e, f) => f.LogsInWithToken && (e.Says("SASL authentication error") || e.Says("invalid_token"))),
        new(ConnectionFaultKind.WrongCredentials, (e, _) => e.Says("SASL authentication error") || e.Says("invalid credentials")
            || e.Code is ErrorCode.SaslAuthenticationFailed),
        new(ConnectionFaultKind.TokenRefused, (e, f) => f.LogsInWithToken && e.Code is ErrorCode.Local_Authentication),
        new(ConnectionFaultKind.WrongCredentials, (e, _) => e.Code is ErrorCode.Local_Authentication),

        // ── TLS ──
        new(ConnectionFaultKind.UntrustedCertificate, (e, _) => e.Says("certificate verify failed") || e.Says("Failed to verify broker certificate")),
        new(ConnectionFaultKind.NoClientCertificate, (e, f) => IsCertificateAlert(e) && !f.HasCertificate),
        new(ConnectionFaultKind.ClientCertificateRefused, (e, _) => IsCertificateAlert(e)),
        new(ConnectionFaultKind.TlsToPlaintext, (e, f) => f.Tls && e.State is "SSL_HANDSHAKE"
            && (IsDisconnect(e) || e.Says("PLAINTEXT broker listener") || e.Says("wrong version number") || e.Says("packet length too long"))),
        new(ConnectionFaultKind.HandshakeFailed, (e, _) => e.Code is ErrorCode.Local_Ssl || e.Says("SSL handshake failed")),
        new(ConnectionFaultKind.PlaintextToTls, (e, f) => !f.Tls && ((e.State is "APIVERSION_QUERY" && IsDisconnect(e)) || e.Says("Invalid response size"))),
        new(ConnectionFaultKind.LoginMissing, (e, f) => f.Mechanism is null && e.State is "UP" && e.StateFor < AtOnce && IsDisconnect(e)),

        // ── the network ──
        new(ConnectionFaultKind.UnknownHost, (e, _) => e.Code is ErrorCode.Local_Resolve || e.Says("Failed to resolve")),
        new(ConnectionFaultKind.NobodyListens, (e, _) => e.Says("Connection refused") || e.Says("actively refused")),
        new(ConnectionFaultKind.Unreachable, (e, _) => e.Says("No route to host") || e.Says("is unreachable") || (e.State is "CONNECT" && e.Says("timed out"))),
        new(ConnectionFaultKind.NoAnswer, (e, _) => e.Says("ApiVersionRequest failed: Local: Timed out") || e.Says("Connection setup timed out")),

        // ── rights ──
        new(ConnectionFaultKind.RightMissing, (e, _) => e.Code is ErrorCode.ClusterAuthorizationFailed or ErrorCode.TopicAuthorizationFailed
            or ErrorCode.GroupAuthorizationFailed or ErrorCode.TransactionalIdAuthorizationFailed),
    ];

    /// <summary>What an error means; null where it says nothing of a connection.</summary>
    /// <param name="code">The client's code.</param>
    /// <param name="line">Its line.</param>
    /// <param name="facts">What the client was told.</param>
    /// <param name="worked">Whether these settings have worked: a listener that closes connections then has not changed what it speaks, it is
    /// restarting.</param>
    public static ConnectionFault? Explain(ErrorCode code, string line, ConnectionFacts facts, bool worked = false)
    {
        // "1/1 brokers are down" comes beside the reason, and says less.
        if (code is ErrorCode.Local_AllBrokersDown or ErrorCode.Local_TimedOut or ErrorCode.NoError)
        {
            return null;
        }

        var error = ClientError.Parse(code, line);
        var kind = Rules.FirstOrDefault(rule => rule.Fits(error, facts))?.Kind ?? ConnectionFaultKind.Other;
        if (worked && kind is ConnectionFaultKind.TlsToPlaintext or ConnectionFaultKind.PlaintextToTls or ConnectionFaultKind.LoginMissing
            or ConnectionFaultKind.LoginNotAsked)
        {
            kind = ConnectionFaultKind.Other;
        }
        else if (!worked && kind is ConnectionFaultKind.UnknownHost or ConnectionFaultKind.NobodyListens or ConnectionFaultKind.Unreachable
            && !error.IsBootstrap && !facts.Names(error.Address))
        {
            kind = ConnectionFaultKind.AdvertisedAddress;
        }

        return Of(kind, facts, error.Address, facts.Hide(error.Line));
    }

    /// <summary>A fault of a kind that is known otherwise.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="facts">What the client was told.</param>
    /// <param name="address">Where; default: the brokers of the settings.</param>
    /// <param name="detail">What the client said, or what was seen.</param>
    /// <param name="seen">For certificates: what it says, such as its names.</param>
    public static ConnectionFault Of(ConnectionFaultKind kind, ConnectionFacts facts, string? address = null, string? detail = null, string? seen = null)
    {
        var at = ForeignText.Name(address) ?? facts.Brokers;
        detail = ForeignText.Reason(detail);
        seen = ForeignText.Reason(seen);
        var mechanism = MechanismName(facts.Mechanism);
        var (cause, advice) = kind switch
        {
            ConnectionFaultKind.NoAnswer => (
                $"Nothing refused the connection to {at}, and nothing answered: a firewall drops it, the port belongs to something else than Kafka, or the "
                    + $"broker hangs.",
                $"Check host and port in {Brokers}, firewalls in between, and the broker's health; where it is only slow, raise "
                    + $"{SettingNames.Of("ConnectTimeout")}."),
            ConnectionFaultKind.UnknownHost => (
                $"The host name of {at} is unknown here: it is misspelt, or only known in another network (a VPN, a cluster, a container network).",
                $"Check host and port in {Brokers}, and that this machine's DNS knows the name."),
            ConnectionFaultKind.Unreachable => (
                $"The network has no way to {at}: a firewall drops the connection, or the host is off or in another network.",
                $"Check host and port in {Brokers}, firewalls, security groups, and the VPN."),
            ConnectionFaultKind.NobodyListens => (
                $"Nobody listens at {at}: the broker does not run, or it listens on another port.",
                $"Check host and port in {Brokers}, and that the broker runs; without a broker set {SettingNames.Of("Mode")} to Embedded or Console."),
            ConnectionFaultKind.TlsToPlaintext => (
                $"The listener at {at} does not speak TLS, and the settings ask for it.",
                $"Use the port of the TLS listener in {Brokers}, or, where the listener is meant to be plain text, set {Tls} = false."),
            ConnectionFaultKind.PlaintextToTls => (
                $"The listener at {at} closed the connection at the first bytes: it most likely speaks TLS, and the settings do not ask for it.",
                $"Set {Tls} = true, or use the port of the plain-text listener in {Brokers}."),
            ConnectionFaultKind.HandshakeFailed => (
                $"TLS with {at} could not be agreed on.",
                $"Check {Tls}, that the port in {Brokers} is that of a TLS listener, and its TLS versions and ciphers."),
            ConnectionFaultKind.UntrustedCertificate => (
                facts.HasAuthority
                    ? $"The certificate of {at} was not accepted: it is not signed by the authority of {Authority}{Because(seen)}."
                    : $"The certificate of {at} was not accepted: it is not signed by an authority of the system's store{Because(seen)}.",
                facts.HasAuthority
                    ? $"Give the authority that signed the brokers' certificates as {Authority}: a PEM file or PEM text."
                    : $"Where the authority is your own, give it as {Authority}: a PEM file or PEM text. Where it is a public one, install the system's "
                        + "certificates (ca-certificates)."),
            ConnectionFaultKind.WrongHostName => (
                $"The certificate of {at} is for other names{Because(seen)}.",
                $"Write one of the certificate's names in {Brokers}, or have the broker's certificate made for the name that you use."),
            ConnectionFaultKind.ExpiredCertificate => (
                $"The certificate of {at} is not valid now{Because(seen)}.",
                $"Have the broker's certificate renewed (its authority in {Authority} stays the same), and check the clock of this machine."),
            ConnectionFaultKind.NoClientCertificate => (
                $"The listener at {at} asks for a client certificate, and the settings have none.",
                $"Set {Certificate} and {Key}, or use the port of a listener without mutual TLS in {Brokers}."),
            ConnectionFaultKind.ClientCertificateRefused => (
                $"The broker at {at} does not take the client certificate: it has expired, or is signed by an authority that the broker does not trust.",
                $"Check {Certificate} and {Key}, and the authorities that the broker trusts (ssl.truststore of its listener)."),
            ConnectionFaultKind.LoginMissing => (
                $"The listener at {at} closed the connection at the first request: it most likely asks for a login, and the settings have none.",
                $"Set {User}, {Password} and {Mechanism}, or use the port of a listener without SASL in {Brokers}."),
            ConnectionFaultKind.LoginNotAsked => (
                $"The listener at {at} knows no logins, and the settings have one ({mechanism}).",
                $"Use the port of the SASL listener in {Brokers}, or remove {User} and {Password}."),
            ConnectionFaultKind.WrongMechanism => (
                $"The listener at {at} does not know the mechanism {mechanism}{Supported(detail)}.",
                $"Set {Mechanism} to one that it knows, or use the port of the listener that knows {mechanism} in {Brokers}."),
            ConnectionFaultKind.NoToken => (
                "There is no token to log in with: whoever makes it failed.",
                $"Check what makes the tokens of {Mechanism} = {mechanism}: its own words follow."),
            ConnectionFaultKind.TokenRefused => (
                $"The broker at {at} does not take the token: it has expired, or is made for another audience, region or key.",
                $"Check what makes the token ({Mechanism} = {mechanism}), and the clock of this machine."),
            ConnectionFaultKind.WrongCredentials => (
                $"The broker at {at} does not take user and password ({mechanism}): one of them is wrong, or the user is not known for this mechanism.",
                $"Check {User}, {Password} and {Mechanism}."),
            ConnectionFaultKind.NoBrokerNamed => (
                $"A broker of {at} answered, and named no broker of the cluster: it has just started, or the cluster's controller takes all brokers for dead.",
                "Wait until the brokers have caught up; where that does not end, see the logs of brokers and controller."),
            ConnectionFaultKind.AdvertisedAddress => (
                $"A broker of {facts.Brokers} answered, and named {at} as the address of the cluster's broker, which cannot be reached from here.",
                $"Correct advertised.listeners of the broker to an address that its clients reach, or use in {Brokers} the listener that is meant for clients "
                    + $"of this network."),
            ConnectionFaultKind.RightMissing => (
                $"The user lacks a right at {at}.",
                $"Give the user of {User} the right that is named."),
            ConnectionFaultKind.NotBuilt => (
                "The client refuses the settings.",
                $"Check certificates and keys ({Authority}, {Certificate}, {Key}) and Kafka:Client."),
            _ => (
                $"The connection to {at} failed.",
                $"Check host and port in {Brokers}, that the broker runs, and that TLS and SASL settings match its listener."),
        };
        return new ConnectionFault(kind, cause, advice, detail);

        static string Because(string? seen) => seen is null ? "" : $" ({seen})";
    }

    private static bool IsDisconnect(ClientError error) =>
        error.Says("Disconnected") || error.Says("Connection reset") || error.Says("closed by peer") || error.Says("Broken pipe");

    // The alerts that a broker answers a client's certificate, or its absence, with.
    private static bool IsCertificateAlert(ClientError error) => error.Says("alert") &&
        (error.Says("bad certificate") || error.Says("certificate required") || error.Says("unknown ca") || error.Says("certificate unknown")
            || error.Says("certificate expired") || error.Says("certificate revoked")
            || error.Says("unsupported certificate") || error.Says("handshake failure"));

    private static string Supported(string? detail)
    {
        const string Phrase = "supported mechanisms: ";
        if (detail is null || detail.IndexOf(Phrase, StringComparison.Ordinal) is not (>= 0 and var start))
        {
            return "";
        }

        var names = detail[(start + Phrase.Length)..].Split(" (")[0];
        return names.Length == 0 ? "" : $"; it knows {names.Replace(",", ", ", StringComparison.Ordinal)}";
    }

    private static string MechanismName(SaslMechanism? mechanism) => mechanism switch
    {
        SaslMechanism.Plain => "plain",
        SaslMechanism.ScramSha256 => "scram-sha-256",
        SaslMechanism.ScramSha512 => "scram-sha-512",
        SaslMechanism.OAuthBearer => SaslMechanisms.OAuthBearer,
        SaslMechanism.Gssapi => "gssapi",
        _ => "none",
    };

    private sealed record Rule(ConnectionFaultKind Kind, Func<ClientError, ConnectionFacts, bool> Fits);
}
