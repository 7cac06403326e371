using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Confluent.Kafka;

namespace Narad.Kafka.Configuration;

/// <summary>
/// The client's own certificate: given to the client as it was given to us, and opened once before that, so that a wrong password is an error with a name
/// instead of a connection that never comes. Neither the key nor what opens it is ever shown.
/// </summary>
internal static class ClientCertificate
{
    private const string Certificate = "Ssl:Certificate";
    private const string Key = "Ssl:Key";
    private const string Password = "Ssl:KeyPassword";

    // More than any path has, and less than any key in one line.
    private const int LongestPath = 260;

    /// <summary>Sets the properties of TLS for it.</summary>
    public static void Give(SslOptions ssl, ClientConfig config)
    {
        if (string.IsNullOrWhiteSpace(ssl.Certificate))
        {
            return;
        }

        if (IsPfx(ssl.Certificate))
        {
            config.SslKeystoreLocation = ssl.Certificate.Trim();
            config.SslKeystorePassword = NullIfEmpty(ssl.KeyPassword);
            return;
        }

        if (CertificateText.TryPem(ssl.Certificate, out var certificate))
        {
            // The client takes a certificate for public: a key that stands beside it would be in what it writes about its configuration.
            config.SslCertificatePem = CertificateText.Blocks(certificate, "CERTIFICATE");
        }
        else
        {
            config.SslCertificateLocation = ssl.Certificate.Trim();
        }

        var given = string.IsNullOrWhiteSpace(ssl.Key) ? ssl.Certificate : ssl.Key;
        if (CertificateText.TryPem(given, out var key))
        {
            // Not split: the older encryption has headers in its block, which only OpenSSL reads.
            config.SslKeyPem = key;
        }
        else
        {
            config.SslKeyLocation = given.Trim();
        }

        config.SslKeyPassword = NullIfEmpty(ssl.KeyPassword);
    }

    /// <summary>Finds what is missing, unreadable or does not belong together.</summary>
    public static void Check(SslOptions ssl, DateTimeOffset now, Findings check)
    {
        if (string.IsNullOrWhiteSpace(ssl.Certificate))
        {
            var left = !string.IsNullOrWhiteSpace(ssl.Key) ? Key : !string.IsNullOrEmpty(ssl.KeyPassword) ? Password : null;
            if (left is not null)
            {
                check.ErrorUnshown(left, $"there is no certificate that it belongs to: set {SettingNames.Of(Certificate)}, or remove it");
            }

            return;
        }

        if (!ssl.Enabled)
        {
            check.Warnings.Add($"{SettingNames.Of(Certificate)} does nothing without TLS: set {SettingNames.Of("Ssl:Enabled")} = true.");
        }

        if (IsPfx(ssl.Certificate))
        {
            CheckPfx(ssl, now, check);
        }
        else
        {
            CheckPem(ssl, now, check);
        }
    }

    private static bool IsPfx(string certificate) =>
        certificate.Trim().EndsWith(".pfx", StringComparison.OrdinalIgnoreCase) || certificate.Trim().EndsWith(".p12", StringComparison.OrdinalIgnoreCase);

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;

    private static void CheckPfx(SslOptions ssl, DateTimeOffset now, Findings check)
    {
        if (!string.IsNullOrWhiteSpace(ssl.Key))
        {
            check.ErrorUnshown(Key, "a PFX file holds its key: remove it");
        }

        if (Read(Certificate, ssl.Certificate!.Trim(), "a PEM or PFX file, or PEM text", check) is not { } bytes)
        {
            return;
        }

        if (string.IsNullOrEmpty(ssl.KeyPassword))
        {
            check.ErrorUnshown(Password, "a PFX file is opened with its password: set it, or export the file again with one (the client takes none without)");
            return;
        }

        // macOS has no keys that live in memory only.
        var flags = OperatingSystem.IsMacOS() ? X509KeyStorageFlags.DefaultKeySet : X509KeyStorageFlags.EphemeralKeySet;
        try
        {
            using var certificate = X509CertificateLoader.LoadPkcs12(bytes, ssl.KeyPassword, flags);
            if (!certificate.HasPrivateKey)
            {
                check.ErrorUnshown(Certificate, "the PFX file holds no private key: export it again, with its key");
            }

            CheckTime(certificate, now, check);
        }
        catch (CryptographicException)
        {
            check.ErrorUnshown(Password, "it does not open the PFX file: write the password that the file was exported with");
        }
    }

    private static void CheckPem(SslOptions ssl, DateTimeOffset now, Findings check)
    {
        var text = ReadPem(Certificate, ssl.Certificate!, "a PEM file, PEM text, or a PFX file whose name ends in .pfx", check);
        var keyText = string.IsNullOrWhiteSpace(ssl.Key) ? text : ReadPem(Key, ssl.Key, "a PEM file, or PEM text", check);
        if (text is null || keyText is null)
        {
            return;
        }

        if (Open(text) is not { } certificate)
        {
            check.ErrorUnshown(Certificate,
                "there is no certificate in it: give the whole PEM text, from BEGIN CERTIFICATE to END CERTIFICATE, or the path of a file that has it");
            return;
        }

        using (certificate)
        {
            CheckTime(certificate, now, check);
            CheckKey(certificate, keyText, ssl.KeyPassword, check);
        }
    }

    private static void CheckKey(X509Certificate2 certificate, string pem, string? password, Findings check)
    {
        if (!pem.Contains(" PRIVATE KEY-----", StringComparison.Ordinal))
        {
            check.ErrorUnshown(Key, "there is no private key in it: give the certificate's key as a PEM file or PEM text, from BEGIN to END");
            return;
        }

        var modern = pem.Contains("-----BEGIN ENCRYPTED PRIVATE KEY-----", StringComparison.Ordinal);
        var traditional = pem.Contains("Proc-Type: 4,ENCRYPTED", StringComparison.Ordinal);
        if ((modern || traditional) && string.IsNullOrEmpty(password))
        {
            check.ErrorUnshown(Password, "the private key is encrypted: set the password that opens it");
            return;
        }

        // Only OpenSSL reads the older encryption, and kinds of keys that .NET has not heard of.
        using AsymmetricAlgorithm? key = traditional ? null : certificate.GetKeyAlgorithm() switch
        {
            "1.2.840.113549.1.1.1" => RSA.Create(),
            "1.2.840.10045.2.1" => ECDsa.Create(),
            _ => null,
        };
        if (key is null)
        {
            return;
        }

        try
        {
            if (modern)
            {
                key.ImportFromEncryptedPem(pem, password);
            }
            else
            {
                key.ImportFromPem(pem);
            }
        }
        catch (Exception failure) when (failure is CryptographicException or ArgumentException)
        {
            check.ErrorUnshown(
                modern ? Password : Key,
                modern ? "it does not open the private key: write the password that the key was encrypted with"
                    : "it is not the certificate's private key, or not whole: give the key that the certificate was made for");
            return;
        }

        var fits = key is RSA rsa ? Same(certificate.GetRSAPublicKey(), rsa) : key is not ECDsa ec || Same(certificate.GetECDsaPublicKey(), ec);
        if (!fits)
        {
            check.ErrorUnshown(Key, "it is the key of another certificate: give the one that this certificate was made for");
        }

        static bool Same(AsymmetricAlgorithm? @public, AsymmetricAlgorithm @private)
        {
            using (@public)
            {
                return @public is not null && @public.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(@private.ExportSubjectPublicKeyInfo());
            }
        }
    }

    private static void CheckTime(X509Certificate2 certificate, DateTimeOffset now, Findings check)
    {
        if (certificate.NotAfter.ToUniversalTime() < now.UtcDateTime)
        {
            check.Warnings.Add(
                $"{SettingNames.Of(Certificate)}: it expired on {certificate.NotAfter.ToUniversalTime():u}, and brokers will refuse it: renew it.");
        }
        else if (certificate.NotBefore.ToUniversalTime() > now.UtcDateTime)
        {
            check.Warnings.Add(
                $"{SettingNames.Of(Certificate)}: it is good from {certificate.NotBefore.ToUniversalTime():u} only, and brokers refuse it until then: look at "
                    + $"this machine's clock, too.");
        }
    }

    private static X509Certificate2? Open(string pem)
    {
        try
        {
            return X509Certificate2.CreateFromPem(pem);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private static string? ReadPem(string setting, string value, string what, Findings check) =>
        CertificateText.TryPem(value, out var pem) ? pem : Read(setting, value.Trim(), what, check) is { } bytes ? System.Text.Encoding.UTF8.GetString(bytes)
            : null;

    private static byte[]? Read(string setting, string path, string what, Findings check)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            var instead = failure is FileNotFoundException or DirectoryNotFoundException || path.Length > LongestPath
                ? $"there is no such file: write the path of {what}"
                : $"the file cannot be read ({failure.GetType().Name}): write the path of {what} that this process may read";

            // Somebody may have written the key itself here, without its first line. What exists is a path.
            check.ErrorShownIf(File.Exists(path) || Directory.Exists(path), setting, path, instead);

            return null;
        }
    }
}
