namespace Narad.Kafka.Transports;

/// <summary>
/// Why a broker cannot be worked with, in the order in which connecting gets there: of several the last says most, since everything before it succeeded
/// somewhere.
/// </summary>
internal enum ConnectionFaultKind
{
    /// <summary>Nothing refused the connection and nothing answered.</summary>
    NoAnswer,

    /// <summary>The client's line is shown as it is; nothing here knows what it means.</summary>
    Other,

    /// <summary>A host's name is unknown.</summary>
    UnknownHost,

    /// <summary>The network has no way there.</summary>
    Unreachable,

    /// <summary>Nobody listens.</summary>
    NobodyListens,

    /// <summary>TLS to a listener without.</summary>
    TlsToPlaintext,

    /// <summary>No TLS to a listener with.</summary>
    PlaintextToTls,

    /// <summary>The handshake failed, for another reason than those below.</summary>
    HandshakeFailed,

    /// <summary>The broker's certificate is signed by an authority that is not trusted here.</summary>
    UntrustedCertificate,

    /// <summary>The broker's certificate is not for the host's name that was connected to.</summary>
    WrongHostName,

    /// <summary>The broker's certificate is not valid at this time.</summary>
    ExpiredCertificate,

    /// <summary>The broker asks for a client certificate and there is none.</summary>
    NoClientCertificate,

    /// <summary>The broker does not take the client certificate.</summary>
    ClientCertificateRefused,

    /// <summary>The listener asks for a login and the settings have none.</summary>
    LoginMissing,

    /// <summary>The listener knows no logins and the settings have one.</summary>
    LoginNotAsked,

    /// <summary>The listener does not know the mechanism.</summary>
    WrongMechanism,

    /// <summary>There is no token to log in with.</summary>
    NoToken,

    /// <summary>The broker does not take the token.</summary>
    TokenRefused,

    /// <summary>The broker does not take user and password.</summary>
    WrongCredentials,

    /// <summary>A broker answered, and named no broker of the cluster.</summary>
    NoBrokerNamed,

    /// <summary>A broker answered, and the address that it names for itself cannot be reached.</summary>
    AdvertisedAddress,

    /// <summary>The user is known, and lacks a right.</summary>
    RightMissing,

    /// <summary>The client refuses the settings.</summary>
    NotBuilt,
}
