using System.Security.Cryptography.X509Certificates;
using Confluent.Kafka;

namespace Narad.Kafka.Transports;

/// <summary>The certificates that a client was told to use, read the way librdkafka reads them. Throws what reading files and PEM throws.</summary>
internal static class CertificateFiles
{
    /// <summary>The authorities; null: the system's store.</summary>
    public static X509Certificate2Collection? Authorities(ClientConfig config)
    {
        var authorities = new X509Certificate2Collection();
        if (!string.IsNullOrEmpty(config.SslCaPem))
        {
            authorities.ImportFromPem(config.SslCaPem);
        }
        else if (!string.IsNullOrEmpty(config.SslCaLocation))
        {
            foreach (var file in Directory.Exists(config.SslCaLocation) ? Directory.GetFiles(config.SslCaLocation) : [config.SslCaLocation])
            {
                authorities.ImportFromPemFile(file);
            }
        }

        return authorities.Count == 0 ? null : authorities;
    }

    /// <summary>The client's own certificate with its key; null: none.</summary>
    public static X509Certificate2? Client(ClientConfig config)
    {
        if (!string.IsNullOrEmpty(config.SslKeystoreLocation))
        {
            return X509CertificateLoader.LoadPkcs12FromFile(config.SslKeystoreLocation, config.SslKeystorePassword);
        }

        var certificate = config.SslCertificatePem ?? Read(config.SslCertificateLocation);
        var key = config.SslKeyPem ?? Read(config.SslKeyLocation) ?? certificate;
        if (string.IsNullOrEmpty(certificate))
        {
            return null;
        }

        return string.IsNullOrEmpty(config.SslKeyPassword) || !key!.Contains("ENCRYPTED", StringComparison.Ordinal)
            ? X509Certificate2.CreateFromPem(certificate, key)
            : X509Certificate2.CreateFromEncryptedPem(certificate, key, config.SslKeyPassword);
    }

    private static string? Read(string? path) => string.IsNullOrEmpty(path) ? null : File.ReadAllText(path);
}
