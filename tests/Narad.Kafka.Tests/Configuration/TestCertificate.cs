using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Narad.Kafka.Tests.Configuration;

/// <summary>A client certificate in every form that people have theirs in; the files are gone when this is disposed of.</summary>
internal sealed class TestCertificate : IDisposable
{
    public const string Password = "hunter2-opens-it";

    private static readonly PbeParameters Encryption = new(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, iterationCount: 2_000);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("narad-test-");

    private TestCertificate(X509Certificate2 certificate, AsymmetricAlgorithm key)
    {
        Pem = certificate.ExportCertificatePem() + "\n";
        KeyPem = key.ExportPkcs8PrivateKeyPem() + "\n";
        EncryptedKeyPem = key.ExportEncryptedPkcs8PrivateKeyPem(Password, Encryption) + "\n";
        Pfx = Save("client.pfx", certificate.ExportPkcs12(Pkcs12ExportPbeParameters.Pbes2Aes256Sha256, Password));
        OpenPfx = Save("open.p12", certificate.ExportPkcs12(Pkcs12ExportPbeParameters.Pbes2Aes256Sha256, password: null));
        using var alone = X509CertificateLoader.LoadCertificate(certificate.RawData);
        KeylessPfx = Save("keyless.pfx", alone.ExportPkcs12(Pkcs12ExportPbeParameters.Pbes2Aes256Sha256, Password));
        certificate.Dispose();
    }

    public string Pem { get; }

    public string KeyPem { get; }

    public string EncryptedKeyPem { get; }

    public string Pfx { get; }

    public string OpenPfx { get; }

    public string KeylessPfx { get; }

    public string File => Save("client.pem", Pem);

    public string KeyFile => Save("client.key", KeyPem);

    public string EncryptedKeyFile => Save("encrypted.key", EncryptedKeyPem);

    public string BothFile => Save("both.pem", Pem + KeyPem);

    /// <summary>One of its own authority, good for the days given, counted from now.</summary>
    public static TestCertificate New(bool rsa, int fromDays = -1, int toDays = 1)
    {
        var now = DateTimeOffset.UtcNow;
        if (rsa)
        {
            using var key = RSA.Create(2048);
            return new TestCertificate(new CertificateRequest("CN=test", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
                .CreateSelfSigned(now.AddDays(fromDays), now.AddDays(toDays)), key);
        }

        using var curve = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new TestCertificate(new CertificateRequest("CN=test", curve, HashAlgorithmName.SHA256)
            .CreateSelfSigned(now.AddDays(fromDays), now.AddDays(toDays)), curve);
    }

    /// <summary>The one that the brokers' authority signed; skips the test where there is none.</summary>
    public static TestCertificate OfTheBroker()
    {
        var certificate = RealKafka.Variable("NARAD_TEST_KAFKA_CLIENT_CERT");
        var key = RealKafka.Variable("NARAD_TEST_KAFKA_CLIENT_KEY");
        using var rsa = RSA.Create();
        rsa.ImportFromPem(System.IO.File.ReadAllText(key));
        return new TestCertificate(X509Certificate2.CreateFromPemFile(certificate, key), rsa);
    }

    public string Save(string name, string text) => Save(name, System.Text.Encoding.UTF8.GetBytes(text));

    public void Dispose() => _folder.Delete(recursive: true);

    private string Save(string name, byte[] bytes)
    {
        var path = Path.Combine(_folder.FullName, name);
        System.IO.File.WriteAllBytes(path, bytes);
        return path;
    }
}
