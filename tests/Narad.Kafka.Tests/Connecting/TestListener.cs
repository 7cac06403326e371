using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Narad.Kafka.Tests.Connecting;

/// <summary>
/// A listener of the test's own on loopback: one that never answers, one with a certificate of the test's own, or one that passes on to another.
/// </summary>
internal sealed class TestListener : IDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<IDisposable> _open = [];

    private TestListener(IPAddress address, Func<TcpClient, CancellationToken, Task> serve)
    {
        _listener = new TcpListener(address, 0);
        _listener.Start();
        _ = Task.Run(() => AcceptAsync(serve));
    }

    public string Address => _listener.LocalEndpoint.ToString()!;

    /// <summary>Accepts, and says nothing.</summary>
    public static TestListener Silent() => new(IPAddress.Loopback, (_, _) => Task.CompletedTask);

    /// <summary>At 127.0.0.2, for which the test brokers' certificate is not.</summary>
    public static TestListener PassingOnTo(string target) => new(IPAddress.Parse("127.0.0.2"), async (client, cancellation) =>
    {
        using var server = new TcpClient();
        await server.ConnectAsync("127.0.0.1", Listeners.Port(target), cancellation);
        await Task.WhenAny(client.GetStream().CopyToAsync(server.GetStream(), cancellation), server.GetStream().CopyToAsync(client.GetStream(), cancellation));
        client.Dispose();
    });

    /// <summary>Speaks TLS, with a certificate of this name that it signed itself.</summary>
    public static TestListener Named(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var subject = new X500DistinguishedNameBuilder();
        subject.AddCommonName(name);
        using var signed = new CertificateRequest(subject.Build(), key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var certificate = X509CertificateLoader.LoadPkcs12(signed.Export(X509ContentType.Pfx), null);
        return new TestListener(IPAddress.Loopback, async (client, cancellation) =>
        {
            var stream = new SslStream(client.GetStream());
            await stream.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificate }, cancellation);
            await stream.ReadExactlyAsync(new byte[1], cancellation);
        });
    }

    /// <summary>Speaks TLS, with a certificate for 127.0.0.1 that ended yesterday; the authority is returned as PEM text.</summary>
    public static TestListener Expired(out string authority)
    {
        var now = DateTimeOffset.UtcNow;
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=narad-test-authority", authorityKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        using var signer = request.CreateSelfSigned(now.AddYears(-1), now.AddYears(1));
        authority = signer.ExportCertificatePem();

        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        var leaf = new CertificateRequest("CN=broker", key, HashAlgorithmName.SHA256);
        leaf.CertificateExtensions.Add(names.Build());
        using var signed = leaf.Create(signer, now.AddDays(-10), now.AddDays(-1), [1, 2, 3]);
        var certificate = X509CertificateLoader.LoadPkcs12(signed.CopyWithPrivateKey(key).Export(X509ContentType.Pfx), null);
        return new TestListener(IPAddress.Loopback, async (client, cancellation) =>
        {
            var stream = new SslStream(client.GetStream());
            await stream.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificate }, cancellation);
            await stream.ReadExactlyAsync(new byte[1], cancellation);
        });
    }

    public void Dispose()
    {
        _stopping.Cancel();
        _listener.Dispose();
        lock (_open)
        {
            _open.ForEach(static client => client.Dispose());
        }
    }

    private async Task AcceptAsync(Func<TcpClient, CancellationToken, Task> serve)
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stopping.Token);
                lock (_open)
                {
                    _open.Add(client);
                }

                _ = ServeAsync(client, serve);
            }
        }
        catch (Exception error) when (error is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // disposed
        }
    }

    private async Task ServeAsync(TcpClient client, Func<TcpClient, CancellationToken, Task> serve)
    {
        try
        {
            await serve(client, _stopping.Token);
        }
        catch (Exception error) when (error is IOException or OperationCanceledException or ObjectDisposedException or SocketException
            or System.Security.Authentication.AuthenticationException)
        {
            client.Dispose();   // the client under test gave it up, as it should
        }
    }
}
