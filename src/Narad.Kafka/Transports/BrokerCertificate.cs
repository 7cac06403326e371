using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Confluent.Kafka;
using Narad.Kafka.Configuration;
using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Transports;

/// <summary>
/// The certificate that a broker shows, and what is wrong with it. The client only says that it does not accept it; whose fault that is (authority, name, time)
/// shows in a handshake of our own, which checks the same and sends nothing afterwards.
/// </summary>
/// <param name="Names">The host names and addresses that it is for.</param>
/// <param name="Issuer">Who signed it.</param>
/// <param name="From">From when on it is valid.</param>
/// <param name="Until">Until when it is valid.</param>
/// <param name="Errors">What is wrong with it.</param>
/// <param name="IsTimely">Whether it, and what it was signed with, is valid now.</param>
/// <param name="Protocol">The version of TLS that was agreed on.</param>
internal sealed record BrokerCertificate(
    IReadOnlyList<string> Names, string Issuer, DateTimeOffset From, DateTimeOffset Until, SslPolicyErrors Errors, bool IsTimely, SslProtocols Protocol)
{
    private const int MostNames = 20;

    /// <summary>Connects and shakes hands.</summary>
    /// <exception cref="SocketException">There is no connection.</exception>
    /// <exception cref="IOException">The listener closed it.</exception>
    /// <exception cref="AuthenticationException">The listener does not speak TLS, or none that is spoken here.</exception>
    public static async Task<BrokerCertificate> LookAsync(string broker, ClientConfig config, CancellationToken cancellationToken)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(BrokerList.Host(broker), BrokerList.Port(broker) ?? 0, cancellationToken).ConfigureAwait(false);
        return await LookAsync(socket.GetStream(), broker, config, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Shakes hands on a connection.</summary>
    public static async Task<BrokerCertificate> LookAsync(Stream connection, string broker, ClientConfig config, CancellationToken cancellationToken)
    {
        BrokerCertificate? seen = null;
        var stream = new SslStream(connection, leaveInnerStreamOpen: true);
        await using (stream.ConfigureAwait(false))
        {
            var options = new SslClientAuthenticationOptions
            {
                TargetHost = BrokerList.Host(broker),
                CertificateChainPolicy = Policy(config),
                ClientCertificates = CertificateFiles.Client(config) is { } own ? [own] : [],
                RemoteCertificateValidationCallback = (_, certificate, chain, errors) =>
                {
                    using var copy = new X509Certificate2(certificate!);
                    var isTimely = chain?.ChainStatus.Any(status => status.Status is X509ChainStatusFlags.NotTimeValid) is not true;
                    seen = new BrokerCertificate(NamesOf(copy), ForeignText.Name(copy.Issuer), new DateTimeOffset(copy.NotBefore),
                        new DateTimeOffset(copy.NotAfter), errors, isTimely, SslProtocols.None);
                    return true;   // looked at, and nothing is sent
                },
            };
            await stream.AuthenticateAsClientAsync(options, cancellationToken).ConfigureAwait(false);
            return seen! with { Protocol = stream.SslProtocol };
        }
    }

    /// <summary>What is wrong with it, as a fault; null where nothing is, or where it is not to be checked.</summary>
    public ConnectionFault? Fault(string broker, ConnectionFacts facts, ClientConfig config, string? detail = null)
    {
        if (config.EnableSslCertificateVerification is false || Errors is SslPolicyErrors.None)
        {
            return null;
        }

        if (!IsTimely)
        {
            return ConnectionFaults.Of(
                ConnectionFaultKind.ExpiredCertificate, facts, broker, detail, $"it is valid from {From.UtcDateTime:u} to {Until.UtcDateTime:u}");
        }

        if (Errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors))
        {
            return ConnectionFaults.Of(ConnectionFaultKind.UntrustedCertificate, facts, broker, detail, $"it is signed by {Issuer}");
        }

        return Errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch)
            && config.SslEndpointIdentificationAlgorithm is not SslEndpointIdentificationAlgorithm.None
            ? ConnectionFaults.Of(ConnectionFaultKind.WrongHostName, facts, broker, detail, Names.Count == 0 ? "it names none" : string.Join(", ", Names))
            : null;
    }

    private static X509ChainPolicy Policy(ClientConfig config)
    {
        // Asks no other server: neither for revocation lists nor for certificates in between.
        var policy = new X509ChainPolicy { RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
        if (CertificateFiles.Authorities(config) is { } authorities)
        {
            policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            policy.CustomTrustStore.AddRange(authorities);
        }

        return policy;
    }

    private static List<string> NamesOf(X509Certificate2 certificate)
    {
        var alternatives = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().FirstOrDefault();
        IEnumerable<string> names = alternatives is null
            ? certificate.GetNameInfo(X509NameType.DnsName, forIssuer: false) is { Length: > 0 } name ? [name] : []
            : alternatives.EnumerateDnsNames().Concat(alternatives.EnumerateIPAddresses().Select(static address => address.ToString()));
        return [.. names.Take(MostNames).Select(static name => ForeignText.Name(name))];
    }
}
