using System.Collections.Concurrent;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Configuration;

/// <summary>
/// Each way in to a real, secured broker, through everything that a service has clients for: topics created, a message sent, handled, moved to a retry topic,
/// read a second time there and handled again.
/// </summary>
public sealed class SecuredListenersTests
{
    public static TheoryData<string> Ways => new()
    {
        "local", "plain", "scram-sha-256", "scram-sha-512", "plain over TLS", "scram-sha-256 over TLS", "scram-sha-512 over TLS", "authority as text",
            "authority unchecked",
        "Confluent Cloud", "MSK SCRAM", "Event Hubs", "MSK TLS, PEM files", "MSK TLS, PEM text", "MSK TLS, one PEM file", "MSK TLS, one PEM text",
            "MSK TLS, encrypted key file",
        "MSK TLS, encrypted key text", "MSK TLS, PFX",
    };

    [SkippableTheory]
    [MemberData(nameof(Ways))]
    [Trait("Promise", "S28")]
    [Trait("Promise", "S30")]
    public async Task A_way_in_serves_every_client_of_a_service_and_shows_no_secret(string way)
    {
        using var certificate = way.StartsWith("MSK TLS", StringComparison.Ordinal) ? TestCertificate.OfTheBroker() : null;
        using var logs = new LogEvents();
        var options = Options(way, certificate);
        var topic = RealKafka.NewName("secured");
        var attempts = new ConcurrentQueue<int>();
        options.Mode = KafkaMode.Kafka;
        options.Environment = "Development";
        options.TopicCreation = TopicCreation.IfMissing;
        options.TopicPartitions = 1;
        options.ConnectTimeout = TimeSpan.FromSeconds(20);
        options.ClientProperties["debug"] = "security,broker,conf";

        await using (var kafka = new KafkaService(options, logs))
        {
            await kafka.ConnectProducerAsync();
            await kafka.ConnectConsumerAsync($"{topic}-group");
            await kafka.SubscribeAsync<string>(
                topic,
                (_, context, _) =>
                {
                    attempts.Enqueue(context.Attempt);
                    return attempts.Count == 1 ? throw new InvalidOperationException("once") : Task.CompletedTask;
                },
                configure: s =>
                {
                    s.Retry.Topic.MaxAttempts = 1;
                    s.Retry.Topic.Delay = TimeSpan.FromMilliseconds(10);
                    s.Retry.Topic.BackoffType = DelayBackoffType.Constant;
                    s.DeadLetter.Enabled = true;
                });
            await kafka.SendAsync(topic, "hello");
            await Waiting.Until(() => attempts.Count == 2, "handled, and handled again from the retry topic");
        }

        logs.All.Should().Contain(line => line.Message.Contains("[thrd:", StringComparison.Ordinal), "the client's own lines were caught");
        var all = string.Join('\n', logs.All.Select(line => $"{line.Message} {line.Error}")) + options;
        Secrets(options, certificate).Where(all.Contains).Should().BeEmpty();
    }

    [SkippableFact]
    public async Task The_systems_store_does_not_trust_an_authority_of_ones_own()
    {
        var options = new KafkaOptions
        {
            Brokers = RealKafka.Variable("NARAD_TEST_KAFKA_SASL_SSL"), Mode = KafkaMode.Kafka, ConnectTimeout = TimeSpan.FromSeconds(3),
        }
            .Tls().Sasl(RealKafka.Variable("NARAD_TEST_KAFKA_USER"), RealKafka.Variable("NARAD_TEST_KAFKA_PASSWORD"));
        await using var kafka = new KafkaService(options);

        await kafka.Awaiting(service => service.ConnectProducerAsync()).Should().ThrowAsync<KafkaConnectionException>();
    }

    private static KafkaOptions Options(string way, TestCertificate? certificate)
    {
        if (way == "local")
        {
            return new KafkaOptions().UseLocal(RealKafka.Brokers);
        }

        var ca = RealKafka.Variable("NARAD_TEST_KAFKA_CA");
        if (certificate is not null)
        {
            var own = new KafkaOptions { Brokers = RealKafka.Variable("NARAD_TEST_KAFKA_MTLS"), Ssl = { Ca = ca } };
            return way switch
            {
                "MSK TLS, PEM files" => own.UseMskTls(certificate.File, certificate.KeyFile),
                "MSK TLS, PEM text" => own.UseMskTls(certificate.Pem.ReplaceLineEndings("\\n"), certificate.KeyPem.ReplaceLineEndings("\\n")),
                "MSK TLS, one PEM file" => own.UseMskTls(certificate.BothFile),
                "MSK TLS, one PEM text" => own.UseMskTls(certificate.Pem + certificate.KeyPem),
                "MSK TLS, encrypted key file" => own.UseMskTls(certificate.File, certificate.EncryptedKeyFile, TestCertificate.Password),
                "MSK TLS, encrypted key text" => own.UseMskTls(certificate.Pem, certificate.EncryptedKeyPem, TestCertificate.Password),
                "MSK TLS, PFX" => own.UseMskTls(certificate.Pfx, keyPassword: TestCertificate.Password),
                _ => throw new ArgumentOutOfRangeException(nameof(way), way, null),
            };
        }

        var user = RealKafka.Variable("NARAD_TEST_KAFKA_USER");
        var password = RealKafka.Variable("NARAD_TEST_KAFKA_PASSWORD");
        if (way is "plain" or "scram-sha-256" or "scram-sha-512")
        {
            return new KafkaOptions { Brokers = RealKafka.Variable("NARAD_TEST_KAFKA_SASL") }.Sasl(user, password, way);
        }

        var secured = new KafkaOptions { Brokers = RealKafka.Variable("NARAD_TEST_KAFKA_SASL_SSL") }.Tls(ca);
        switch (way)
        {
            case "authority as text":
                return secured.Tls(File.ReadAllText(ca)).Sasl(user, password);
            case "authority unchecked":
                secured.Ssl = new SslOptions { Enabled = true, RejectUnauthorized = false };
                return secured.Sasl(user, password);
            case "Confluent Cloud":
                return secured.UseConfluentCloud(user, password);
            case "MSK SCRAM":
                return secured.UseMskScram(user, password);
            case "Event Hubs":
                return secured.UseEventHubs(RealKafka.Variable("NARAD_TEST_EVENTHUBS_CONNECTION_STRING"));
            default:
                return secured.Sasl(user, password, way.Split(' ')[0]);
        }
    }

    private static IEnumerable<string> Secrets(KafkaOptions options, TestCertificate? certificate)
    {
        if (options.Sasl.Password is { } password)
        {
            yield return password;
            yield return password.Split("SharedAccessKey=")[^1];
        }

        if (certificate is not null)
        {
            yield return TestCertificate.Password;
            yield return certificate.KeyPem.Split('\n')[3];
            yield return certificate.EncryptedKeyPem.Split('\n')[3];
        }
    }
}
