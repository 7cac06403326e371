using Narad.Kafka.Configuration;

namespace Narad.Kafka.Tests.Configuration;

/// <summary>The client's own certificate: every form of it is accepted, and what is wrong with one is said before anything connects.</summary>
[Trait("Promise", "S31")]
public sealed class ClientCertificateTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Every_form_of_a_certificate_is_accepted(bool rsa)
    {
        using var own = TestCertificate.New(rsa);
        KafkaOptions[] forms =
        [
            new KafkaOptions().Tls(certificate: own.File, key: own.KeyFile),
            new KafkaOptions().Tls(certificate: own.Pem, key: own.KeyPem),
            new KafkaOptions().Tls(certificate: own.Pem.ReplaceLineEndings("\\n"), key: own.KeyPem.ReplaceLineEndings("\\n")),
            new KafkaOptions().Tls(certificate: own.Pem + own.KeyPem),
            new KafkaOptions().Tls(certificate: own.BothFile),
            new KafkaOptions().Tls(certificate: own.File, key: own.EncryptedKeyFile, keyPassword: TestCertificate.Password),
            new KafkaOptions().Tls(certificate: own.Pem, key: own.EncryptedKeyPem, keyPassword: TestCertificate.Password),
            new KafkaOptions().Tls(certificate: own.File, key: own.KeyFile, keyPassword: "for a key that is not encrypted"),
            new KafkaOptions().Tls(certificate: own.Pfx, keyPassword: TestCertificate.Password),
            new KafkaOptions().Tls(ca: own.File, certificate: own.File, key: own.KeyFile),
        ];

        foreach (var options in forms)
        {
            KafkaOptionsValidator.Check(options, "Production").Should()
                .BeEquivalentTo(new ConfigurationReport([], []), "of {0}", Array.IndexOf(forms, options));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_is_wrong_with_a_certificate_is_logged_with_the_setting_to_change(bool rsa)
    {
        using var own = TestCertificate.New(rsa);
        using var other = TestCertificate.New(rsa);
        using var unlike = TestCertificate.New(!rsa);

        Error(own.Pfx, null, "wrong").Should().Contain("Kafka:Ssl:KeyPassword (KAFKA_SSL_KEY_PASSWORD)").And.Contain("does not open the PFX file");
        Error(own.Pfx, null, null).Should().Contain("Kafka:Ssl:KeyPassword").And.Contain("is opened with its password");
        Error(own.OpenPfx, null, null).Should().Contain("Kafka:Ssl:KeyPassword").And.Contain("export the file again with one");
        Error(own.Pfx, own.KeyFile, TestCertificate.Password).Should().Contain("Kafka:Ssl:Key (KAFKA_SSL_KEY)").And.Contain("a PFX file holds its key");
        Error(own.KeylessPfx, null, TestCertificate.Password).Should().Contain("Kafka:Ssl:Certificate").And.Contain("no private key");
        Error(own.Pem, own.EncryptedKeyPem, "wrong").Should().Contain("Kafka:Ssl:KeyPassword").And.Contain("does not open the private key");
        Error(own.File, own.EncryptedKeyFile, null).Should().Contain("Kafka:Ssl:KeyPassword").And.Contain("is encrypted");
        Error(own.Pem, Traditional(own), null).Should().Contain("Kafka:Ssl:KeyPassword").And.Contain("is encrypted");
        Error(own.File, null, null).Should().Contain("Kafka:Ssl:Key ").And.Contain("no private key");
        Error(own.File, own.File, null).Should().Contain("Kafka:Ssl:Key ").And.Contain("no private key");
        Error(own.Pem, other.KeyPem, null).Should().Contain("Kafka:Ssl:Key ").And.Contain("key of another certificate");
        Error(own.Pem, unlike.KeyPem, null).Should().Contain("Kafka:Ssl:Key ").And.Contain("not the certificate's private key");
        Error(own.Pem, own.KeyPem[..^60] + own.KeyPem[^30..], null).Should().Contain("Kafka:Ssl:Key ")
            .And.Contain("not the certificate's private key, or not whole");
        Error(own.Pem[..^40], own.KeyPem, null).Should().Contain("Kafka:Ssl:Certificate").And.Contain("no certificate in it");
        Error(own.KeyFile, own.KeyFile, null).Should().Contain("Kafka:Ssl:Certificate").And.Contain("no certificate in it");
        Error(Path.GetDirectoryName(own.File)!, own.KeyFile, null).Should().Contain("Kafka:Ssl:Certificate").And.Contain("cannot be read");
        Error(own.Save("client.crt", "binary"), own.KeyFile, null).Should().Contain("Kafka:Ssl:Certificate").And.Contain("no certificate in it");
        Error(own.Pem, "a-key-in-one-line", null).Should().Contain("Kafka:Ssl:Key ").And.Contain("no such file").And.NotContain("a-key-in-one-line");
        Error(new string('x', 300), own.KeyFile, null).Should().Contain("Kafka:Ssl:Certificate").And.NotContain("xxx");
    }

    // OpenSSL's older form, which only it can read: that it is encrypted is all that is known of it here.
    [Fact]
    public void A_key_in_the_older_encryption_is_left_to_the_client()
    {
        using var own = TestCertificate.New(rsa: true);

        KafkaOptionsValidator.Check(new KafkaOptions().Tls(certificate: own.Pem, key: Traditional(own), keyPassword: "any"), "Production").Errors.Should()
            .BeEmpty();
    }

    [Fact]
    public void A_certificate_that_is_not_good_today_or_not_used_is_warned_of()
    {
        using var old = TestCertificate.New(rsa: false, fromDays: -3, toDays: -1);
        using var future = TestCertificate.New(rsa: false, fromDays: 1, toDays: 2);
        using var own = TestCertificate.New(rsa: false);

        Warning(new KafkaOptions().Tls(certificate: old.BothFile)).Should().Contain("Kafka:Ssl:Certificate (KAFKA_SSL_CERT)").And.Contain("expired on");
        Warning(new KafkaOptions().Tls(certificate: old.Pfx, keyPassword: TestCertificate.Password)).Should().Contain("expired on");
        Warning(new KafkaOptions().Tls(certificate: future.BothFile)).Should().Contain("good from").And.Contain("clock");
        Warning(new KafkaOptions { Ssl = { Certificate = own.BothFile } }).Should().Contain("does nothing without TLS").And.Contain("KAFKA_SSL_ENABLED");

        static string Warning(KafkaOptions options)
        {
            var report = KafkaOptionsValidator.Check(options, "Production");
            report.Errors.Should().BeEmpty();
            return report.Warnings.Should().ContainSingle().Subject;
        }
    }

    private static string Traditional(TestCertificate own) =>
        own.KeyPem.Replace("PRIVATE KEY", "RSA PRIVATE KEY")
            .Replace("-----BEGIN RSA PRIVATE KEY-----\n", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n");

    private static string Error(string certificate, string? key, string? password)
    {
        var options = new KafkaOptions().Tls(certificate: certificate, key: key, keyPassword: password);
        return KafkaOptionsValidator.Check(options, "Production").Errors.Should().ContainSingle("of {0}", certificate.Length > 300 ? "PEM text" : certificate)
            .Subject;
    }
}
