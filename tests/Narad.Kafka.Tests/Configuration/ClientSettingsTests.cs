using System.Collections.Concurrent;
using Confluent.Kafka;
using Narad.Kafka.Configuration;

namespace Narad.Kafka.Tests.Configuration;

/// <summary>What the clients are built with. Builds real clients, without any broker, and reads what they say to it.</summary>
public sealed class ClientSettingsTests
{
    public static TheoryData<string> Variants => new()
    {
        "defaults", "embedded", "kip848", "kip848-range", "range", "static", "smallest buffers", "largest buffers", "largest messages",
        "no linger", "compression", "tls", "unverified", "sasl", "sasl and tls", "raw",
    };

    [Theory]
    [MemberData(nameof(Variants))]
    [Trait("Trap", "conf-warnings")]
    public void Every_client_is_built_without_a_warning(string variant)
    {
        var options = Options(variant);
        KafkaOptionsValidator.Check(options).Errors.Should().BeEmpty();
        var settings = new ClientSettings(options, "127.0.0.1:1", embedded: variant == "embedded");
        var warnings = new ConcurrentQueue<string>();

        using (new ProducerBuilder<byte[], byte[]>(settings.Producer()).SetLogHandler((_, line) => Note(line)).Build())
        using (new ConsumerBuilder<byte[], byte[]>(settings.Consumer("group")).SetLogHandler((_, line) => Note(line)).Build())
        using (new AdminClientBuilder(settings.Admin()).SetLogHandler((_, line) => Note(line)).Build())
        {
            warnings.Should().BeEmpty();
        }

        void Note(LogMessage line)
        {
            if (line.Facility.Contains("CONF", StringComparison.Ordinal))
            {
                warnings.Enqueue($"{line.Name} {line.Facility} {line.Message}");
            }
        }
    }

    [Fact]
    [Trait("Promise", "S1")]
    [Trait("Trap", "reports-without-status")]
    public void A_producer_is_idempotent_and_waits_for_all_replicas()
    {
        var producer = Settings(new KafkaOptions { SendTimeout = TimeSpan.FromSeconds(7) }).Producer();

        producer.Acks.Should().Be(Acks.All);
        producer.EnableIdempotence.Should().BeTrue();
        producer.MessageTimeoutMs.Should().Be(7000);
        producer.DeliveryReportFields.Should().Be("value,status");
        producer.LingerMs.Should().Be(5);
    }

    [Fact]
    [Trait("Promise", "S5")]
    [Trait("Trap", "partitioner")]
    public void A_producer_partitions_as_the_java_client_does() =>
        Settings(new KafkaOptions()).Producer().Partitioner.Should().Be(Confluent.Kafka.Partitioner.Murmur2Random);

    [Fact]
    [Trait("Promise", "S7")]
    public void A_consumer_commits_only_what_the_engine_stores()
    {
        var consumer = Settings(new KafkaOptions()).Consumer("group");

        consumer.EnableAutoCommit.Should().BeTrue();
        consumer.EnableAutoOffsetStore.Should().BeFalse();
        consumer.AutoCommitIntervalMs.Should().Be(1000);
        consumer.EnablePartitionEof.Should().BeTrue();
    }

    [Fact]
    [Trait("Promise", "S32")]
    [Trait("Trap", "earliest-skips")]
    public void A_consumer_never_resets_an_offset_by_itself() =>
        Settings(new KafkaOptions { StartPosition = StartPosition.Latest }).Consumer("group").AutoOffsetReset.Should().Be(AutoOffsetReset.Error);

    [Fact]
    [Trait("Promise", "S13")]
    [Trait("Trap", "prefetch")]
    public void What_the_client_prefetches_is_a_share_of_the_groups_bytes()
    {
        foreach (var bytes in new[] { 1L << 20, 64L << 20, 8L << 30 })
        {
            var settings = Settings(new KafkaOptions { MaxBufferedBytes = bytes, MaxMessageBytes = 900_000 });
            var consumer = settings.Consumer("group");

            settings.PrefetchBytes.Should().Be(bytes / 2);
            ((consumer.QueuedMaxMessagesKbytes * 1000L) + consumer.FetchMaxBytes).Should().BeLessThanOrEqualTo(settings.PrefetchBytes);
            consumer.FetchMaxBytes.Should().BeGreaterThanOrEqualTo(consumer.MessageMaxBytes!.Value);
            consumer.MaxPartitionFetchBytes.Should().BeLessThanOrEqualTo(consumer.FetchMaxBytes!.Value);
        }

        Settings(new KafkaOptions { MaxBufferedMessages = 10 }).Consumer("group").QueuedMinMessages.Should().Be(10);
    }

    [Fact]
    [Trait("Promise", "S16")]
    public void The_next_protocol_is_not_sent_what_its_broker_decides()
    {
        var options = new KafkaOptions { GroupProtocol = KafkaGroupProtocol.Consumer, Assignor = KafkaAssignor.Range, GroupInstanceId = "one" };
        var consumer = Settings(options).Consumer("group");

        consumer.Should().Contain(new KeyValuePair<string, string>("group.protocol", "consumer"));
        consumer.Should().Contain(new KeyValuePair<string, string>("group.remote.assignor", "range"));
        consumer.Select(property => property.Key).Should().NotContain(
            ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy", "group.protocol.type"]);
        consumer.GroupInstanceId.Should().Be("one");
    }

    [Theory]
    [InlineData(KafkaAssignor.CooperativeSticky, PartitionAssignmentStrategy.CooperativeSticky)]
    [InlineData(KafkaAssignor.Range, PartitionAssignmentStrategy.Range)]
    [InlineData(KafkaAssignor.RoundRobin, PartitionAssignmentStrategy.RoundRobin)]
    [Trait("Promise", "S16")]
    [Trait("Trap", "topics-apart")]
    public void The_assignor_is_named(KafkaAssignor assignor, PartitionAssignmentStrategy expected) =>
        Settings(new KafkaOptions { Assignor = assignor }).Consumer("group").PartitionAssignmentStrategy.Should().Be(expected);

    [Theory]
    [InlineData(45, 3000)]
    [InlineData(3, 1000)]
    [InlineData(1, 333)]
    public void A_member_beats_three_times_a_session(int sessionSeconds, int heartbeat)
    {
        var consumer = Settings(new KafkaOptions { SessionTimeout = TimeSpan.FromSeconds(sessionSeconds) }).Consumer("group");

        consumer.SessionTimeoutMs.Should().Be(sessionSeconds * 1000);
        consumer.HeartbeatIntervalMs.Should().Be(heartbeat);
    }

    [Fact]
    [Trait("Trap", "conf-warnings")]
    public void Raw_properties_go_to_the_clients_that_know_them()
    {
        var options = new KafkaOptions { ClientProperties = { ["batch.size"] = "1000", ["fetch.min.bytes"] = "2", ["client.rack"] = "r1" } };
        var settings = Settings(options);

        settings.Producer().Select(property => property.Key).Should().Contain(["batch.size", "client.rack"]).And.NotContain("fetch.min.bytes");
        settings.Consumer("group").Select(property => property.Key).Should().Contain(["fetch.min.bytes", "client.rack"]).And.NotContain("batch.size");
        settings.Admin().Select(property => property.Key).Should().Contain("client.rack").And.NotContain(["fetch.min.bytes", "batch.size"]);
    }

    [Theory]
    [InlineData(false, false, SecurityProtocol.Plaintext)]
    [InlineData(true, false, SecurityProtocol.SaslPlaintext)]
    [InlineData(false, true, SecurityProtocol.Ssl)]
    [InlineData(true, true, SecurityProtocol.SaslSsl)]
    public void User_and_tls_choose_the_protocol_of_every_client(bool user, bool tls, SecurityProtocol expected)
    {
        var options = new KafkaOptions { Ssl = { Enabled = tls } };
        if (user)
        {
            options.Sasl.Mechanism = "SCRAM-SHA-512";
            options.Sasl.Username = "narad";
            options.Sasl.Password = "secret";
        }

        var settings = Settings(options);
        foreach (var client in new ClientConfig[] { settings.Producer(), settings.Consumer("group"), settings.Admin() })
        {
            client.SecurityProtocol.Should().Be(expected);
            client.SaslMechanism.Should().Be(user ? SaslMechanism.ScramSha512 : null);
            client.SaslPassword.Should().Be(user ? "secret" : null);
        }
    }

    [Fact]
    public void The_embedded_broker_is_spoken_to_without_security_and_quickly()
    {
        var options = new KafkaOptions
        {
            Sasl = { Username = "u", Password = "p" }, Ssl = { Enabled = true }, ClientProperties = { ["ssl.cipher.suites"] = "x" },
        };
        var consumer = new ClientSettings(options, "127.0.0.1:1", embedded: true).Consumer("group");

        consumer.Select(property => property.Key).Should().NotContain(["security.protocol", "sasl.mechanism", "sasl.password", "ssl.cipher.suites"]);
        consumer.FetchWaitMaxMs.Should().Be(10);
    }

    [Fact]
    public void An_authority_is_a_file_or_pem_text_with_escaped_line_breaks()
    {
        Settings(new KafkaOptions { Ssl = { Enabled = true, Ca = "/etc/ca.pem" } }).Admin().SslCaLocation.Should().Be("/etc/ca.pem");

        var admin = Settings(new KafkaOptions { Ssl = { Enabled = true, Ca = "-----BEGIN CERTIFICATE-----\\nMII=\\n-----END CERTIFICATE-----" } }).Admin();
        admin.SslCaPem.Should().Be("-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n");
        admin.SslCaLocation.Should().BeNull();
    }

    [Fact]
    public void Certificates_are_checked_unless_told_otherwise()
    {
        Settings(new KafkaOptions { Ssl = { Enabled = true } }).Producer().EnableSslCertificateVerification.Should().NotBe(false);
        Settings(new KafkaOptions { Ssl = { Enabled = true, RejectUnauthorized = false } }).Producer().EnableSslCertificateVerification.Should().BeFalse();
    }

    [Fact]
    public void A_service_on_a_real_broker_reads_what_it_wrote()
    {
        var settings = Settings(new KafkaOptions());
        settings.Producer().BootstrapServers.Should().Be("localhost:9092");
        settings.Consumer("g").GroupId.Should().Be("g");
        settings.Admin().ClientId.Should().Be("narad");
    }

    [SkippableTheory]
    [InlineData("NARAD_TEST_KAFKA", false, false)]
    [InlineData("NARAD_TEST_KAFKA_SASL", true, false)]
    [InlineData("NARAD_TEST_KAFKA_SASL_SSL", true, true)]
    public void Secured_listeners_of_a_real_broker_let_the_clients_in(string listener, bool user, bool tls)
    {
        var brokers = Environment.GetEnvironmentVariable(listener);
        Skip.If(string.IsNullOrEmpty(brokers), $"{listener} is not set.");
        var options = new KafkaOptions { Brokers = brokers!, Ssl = { Enabled = tls, Ca = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA_CA") } };
        if (user)
        {
            options.Sasl.Username = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA_USER");
            options.Sasl.Password = Environment.GetEnvironmentVariable("NARAD_TEST_KAFKA_PASSWORD");
        }

        KafkaOptionsValidator.Check(options).Errors.Should().BeEmpty();
        using var admin = new AdminClientBuilder(Settings(options).Admin()).Build();
        admin.GetMetadata(TimeSpan.FromSeconds(20)).Brokers.Should().NotBeEmpty();
        if (tls)
        {
            options.Ssl.Ca = CertificateOf(options.Ssl.Ca!);
            using var withPem = new AdminClientBuilder(Settings(options).Admin()).Build();
            withPem.GetMetadata(TimeSpan.FromSeconds(20)).Brokers.Should().NotBeEmpty();
        }

        // As an env file has it: on one line.
        static string CertificateOf(string file) => File.ReadAllText(file).ReplaceLineEndings("\\n");
    }

    private static ClientSettings Settings(KafkaOptions options) => new(options, options.Brokers, embedded: false);

    private static KafkaOptions Options(string variant)
    {
        var options = new KafkaOptions { Environment = "Development" };
        switch (variant)
        {
            case "kip848":
                options.GroupProtocol = KafkaGroupProtocol.Consumer;
                break;
            case "kip848-range":
                options.GroupProtocol = KafkaGroupProtocol.Consumer;
                options.Assignor = KafkaAssignor.Range;
                break;
            case "range":
                options.Assignor = KafkaAssignor.Range;
                options.SessionTimeout = options.MaxPollInterval = TimeSpan.FromSeconds(6);
                break;
            case "static":
                options.GroupInstanceId = "instance-1";
                break;
            case "smallest buffers":
                options.MaxBufferedBytes = 1 << 20;
                options.MaxBufferedMessages = 10;
                options.SendTimeout = TimeSpan.FromSeconds(1);
                options.CommitInterval = TimeSpan.FromMilliseconds(10);
                break;
            case "largest buffers":
                options.MaxBufferedBytes = 64L << 30;
                options.MaxBufferedMessages = 10_000_000;
                break;
            case "largest messages":
                options.MaxMessageBytes = 1_000_000_000;
                break;
            case "no linger":
                options.Linger = TimeSpan.Zero;
                break;
            case "compression":
                options.Compression = KafkaCompression.Zstd;
                break;
            case "unverified":
                options.Ssl.Enabled = true;
                options.Ssl.RejectUnauthorized = false;
                break;
            case "tls":
                options.Ssl.Enabled = true;
                break;
            case "sasl":
                options.Sasl.Username = "u";
                options.Sasl.Password = "p";
                break;
            case "sasl and tls":
                options.Ssl.Enabled = true;
                options.Sasl.Mechanism = "scram-sha-256";
                options.Sasl.Username = "u";
                options.Sasl.Password = "p";
                break;
            case "raw":
                options.ClientProperties["batch.size"] = "1000000";
                options.ClientProperties["fetch.min.bytes"] = "1";
                options.ClientProperties["statistics.interval.ms"] = "60000";
                options.ClientProperties["isolation.level"] = "read_uncommitted";
                break;
        }

        return options;
    }
}
