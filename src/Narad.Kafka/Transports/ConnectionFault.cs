namespace Narad.Kafka.Transports;

/// <summary>
/// Why a broker cannot be worked with: one sentence each for the likely cause and for what to do, which names the settings. Without any secret.
/// </summary>
/// <param name="Kind">The kind; a service says each once for as long as it lasts.</param>
/// <param name="Cause">The likely cause.</param>
/// <param name="Advice">What to look at or to change.</param>
/// <param name="Detail">The client's own line; null where it gave none.</param>
internal sealed record ConnectionFault(ConnectionFaultKind Kind, string Cause, string Advice, string? Detail)
{
    /// <summary>
    /// Whether the broker's answer, or its certificate, said so: it will say so again until somebody changes something. The others are told by what did not
    /// happen, and an outage looks like them.
    /// </summary>
    public bool IsRefusal => Kind
        is ConnectionFaultKind.UntrustedCertificate
        or ConnectionFaultKind.WrongHostName
        or ConnectionFaultKind.ExpiredCertificate
        or ConnectionFaultKind.NoClientCertificate
        or ConnectionFaultKind.ClientCertificateRefused
        or ConnectionFaultKind.LoginNotAsked
        or ConnectionFaultKind.WrongMechanism
        or ConnectionFaultKind.NoToken
        or ConnectionFaultKind.TokenRefused
        or ConnectionFaultKind.WrongCredentials
        or ConnectionFaultKind.RightMissing
        or ConnectionFaultKind.NotBuilt;

    /// <summary>
    /// Whether no broker was there at all, so far as is known. A listener that speaks otherwise than the settings, a login or certificate that was refused
    /// and an address that a broker advertised are all answers. So is a missing token: the client connects only once it has one, and nothing is known of
    /// the broker.
    /// </summary>
    public bool IsNoBroker => Kind
        is ConnectionFaultKind.NoAnswer
        or ConnectionFaultKind.Other
        or ConnectionFaultKind.UnknownHost
        or ConnectionFaultKind.Unreachable
        or ConnectionFaultKind.NobodyListens;

    /// <summary>Cause, advice, and the client's own line.</summary>
    public override string ToString() => Detail is null ? $"{Cause} {Advice}" : $"{Cause} {Advice} The client says: {Detail}";
}
