using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Narad.Kafka.Configuration;

namespace Narad.Kafka.Tests.Configuration;

/// <summary>One row an error: what is set, and what the sentence about it says.</summary>
[Trait("Promise", "S31")]
public sealed class KafkaOptionsValidatorTests
{
    private const string Secret = "hunter2-the-secret";
    private const string Connection = $"Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=all;SharedAccessKey={Secret}=";

    public static TheoryData<string, Action<KafkaOptions>, string[]> Errors => new()
    {
        { "no brokers", o => o.Brokers = " , ", ["Kafka:Brokers (KAFKA_BROKERS)", "(empty)", "host:port"] },
        { "scheme", o => o.Brokers = "kafka://a:9092", ["kafka://a:9092", "without kafka://"] },
        { "no port", o => o.Brokers = "a:9092, b", ["= b:", "b:9092"] },
        { "bad port", o => o.Brokers = "a:70000", ["a:70000", "1 to 65535"] },
        { "port no number", o => o.Brokers = "a:x1", ["not shown", "1 to 65535"] },
        { "no host", o => o.Brokers = ":9092", [":9092", "host is missing"] },
        { "spaces", o => o.Brokers = "a:9092 b:9092", ["commas"] },
        { "user in the address", o => o.Brokers = $"u:{Secret}@a:9092", ["not shown", "host:port"] },
        { "connection string as brokers", o => o.Brokers = $"Endpoint=sb://x/;SharedAccessKey={Secret}", ["not shown", "password"] },
        { "client id", o => o.ClientId = " ", ["Kafka:ClientId (KAFKA_CLIENT_ID)"] },
        { "group", o => o.ConsumerGroupId = "a ", ["Kafka:ConsumerGroupId (KAFKA_CONSUMER_GROUP_ID)", "space"] },
        { "instance", o => o.GroupInstanceId = "a b", ["Kafka:GroupInstanceId", "a b"] },
        { "topic", o => o.TopicNames["orders"] = "ord ers", ["Kafka:TopicNames:orders", "ord ers", "letters"] },
        { "mode", o => o.Mode = (KafkaMode)9, ["Kafka:Mode (KAFKA_MODE)", "Auto, Kafka, Embedded, Console"] },
        { "round robin with KIP-848", o =>
            (o.GroupProtocol, o.Assignor) = (KafkaGroupProtocol.Consumer, KafkaAssignor.RoundRobin), ["Kafka:Assignor", "Range"] },
        { "connect timeout", o => o.ConnectTimeout = TimeSpan.Zero, ["Kafka:ConnectTimeout = 00:00:00", "00:10:00"] },
        { "send timeout", o => o.SendTimeout = TimeSpan.FromHours(2), ["Kafka:SendTimeout = 02:00:00", "01:00:00"] },
        { "linger", o => o.Linger = TimeSpan.FromSeconds(-1), ["Kafka:Linger"] },
        { "linger beyond the send", o =>
            (o.Linger, o.SendTimeout) = (TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(2)), ["Kafka:Linger", "less than SendTimeout"] },
        { "message size", o => o.MaxMessageBytes = 1, ["Kafka:MaxMessageBytes = 1", "1,000 to 1,000,000,000"] },
        { "shutdown", o => o.ShutdownTimeout = TimeSpan.FromHours(2), ["Kafka:ShutdownTimeout"] },
        { "revoke beyond shutdown", o =>
            o.RevokeTimeout = TimeSpan.FromSeconds(31), ["Kafka:RevokeTimeout = 00:00:31", "at most ShutdownTimeout", "00:00:30"] },
        { "revoke beyond the poll interval", o =>
            (o.RevokeTimeout, o.MaxPollInterval, o.SessionTimeout) = (TimeSpan.FromSeconds(6), TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(6)),
            ["Kafka:RevokeTimeout", "00:00:05", "half of MaxPollInterval"] },
        { "revoke below zero", o => o.RevokeTimeout = TimeSpan.FromSeconds(-1), ["Kafka:RevokeTimeout", "0 or more"] },
        { "commit interval", o => o.CommitInterval = TimeSpan.FromMilliseconds(1), ["Kafka:CommitInterval"] },
        { "probe", o => o.ProbeInterval = TimeSpan.FromSeconds(4), ["Kafka:ProbeInterval", "00:00:03"] },
        { "degraded after", o => o.DegradedAfter = TimeSpan.FromMilliseconds(1), ["Kafka:DegradedAfter"] },
        { "unhealthy before degraded", o => o.UnhealthyAfter = TimeSpan.FromSeconds(19), ["Kafka:UnhealthyAfter", "at least DegradedAfter"] },
        { "session", o => o.SessionTimeout = TimeSpan.FromMilliseconds(1), ["Kafka:SessionTimeout"] },
        { "poll interval", o => o.MaxPollInterval = TimeSpan.FromDays(2), ["Kafka:MaxPollInterval"] },
        { "poll interval below the session", o => o.MaxPollInterval = TimeSpan.FromSeconds(44), ["Kafka:MaxPollInterval", "at least SessionTimeout"] },
        { "parallelism", o => o.Parallelism = 0, ["Kafka:Parallelism = 0"] },
        { "buffer messages", o => o.MaxBufferedMessages = 9, ["Kafka:MaxBufferedMessages = 9"] },
        { "buffer bytes", o => o.MaxBufferedBytes = 1, ["Kafka:MaxBufferedBytes = 1"] },
        { "max ahead", o => o.MaxUncommittedMessages = 0, ["Kafka:MaxUncommittedMessages"] },
        { "batch size", o => o.MaxBatchSize = 0, ["Kafka:MaxBatchSize"] },
        { "batch wait", o => o.MaxBatchWait = TimeSpan.FromMinutes(2), ["Kafka:MaxBatchWait"] },
        { "partitions", o => o.TopicPartitions = 0, ["Kafka:TopicPartitions"] },
        { "replicas", o => o.TopicReplicationFactor = 0, ["Kafka:TopicReplicationFactor = 0", "-1"] },
        { "mechanism", o => o.Sasl.Mechanism = "kerberos", ["Kafka:Sasl:Mechanism (KAFKA_SASL_MECHANISM)", "kerberos", "scram-sha-512"] },
        { "user without password", o => o.Sasl.Username = "u", ["Kafka:Sasl:Password (KAFKA_SASL_PASSWORD)", "Kafka:Sasl:Username"] },
        { "password without user", o => o.Sasl.Password = Secret, ["Kafka:Sasl:Username (KAFKA_SASL_USERNAME)"] },
        { "tokens from nowhere", o => (o.Sasl.Mechanism, o.Ssl.Enabled) = ("OAuthBearer", true), ["Kafka:Sasl:Mechanism", "oidc"] },
        { "tokens without TLS", o =>
            (o.Sasl.Mechanism, o.ClientProperties["sasl.oauthbearer.method"]) = ("oauthbearer", "oidc"), ["Kafka:Ssl:Enabled", "a token is a password"] },
        { "unverified in Production", o =>
            (o.Ssl.Enabled, o.Ssl.RejectUnauthorized) = (true, false), ["KAFKA_SSL_REJECT_UNAUTHORIZED", "Production", "AllowUnverifiedInProduction"] },
        { "no such authority", o => (o.Ssl.Enabled, o.Ssl.Ca) = (true, "/no/such/ca.pem"), ["Kafka:Ssl:Ca (KAFKA_SSL_CA)", "no such file"] },
        { "half an authority", o => (o.Ssl.Enabled, o.Ssl.Ca) = (true, "-----BEGIN CERTIFICATE-----"), ["Kafka:Ssl:Ca", "END CERTIFICATE"] },
        { "MSK IAM on 9092", o =>
            { o.Brokers = "b-1.x.kafka.us-east-1.amazonaws.com:9092"; o.Sasl =
                new() { Mechanism = "aws_msk_iam", Username = "AWS", Password = Secret }; o.Ssl.Enabled = true; },
                ["b-1.x.kafka.us-east-1.amazonaws.com:9092", "use 9098"] },
        { "MSK IAM", o =>
            { o.Brokers = "b-1.x.kafka.us-east-1.amazonaws.com:9098"; o.Sasl.Mechanism = "AWS_MSK_IAM"; o.Ssl.Enabled = true; },
            ["AWS_MSK_IAM", "add the package Narad.Kafka.Aws and .UseMskIam()"] },
        { "MSK SCRAM on 9094", o =>
            { o.Brokers = "b-1.x.kafka.us-east-1.amazonaws.com:9094"; o.Sasl =
                new() { Mechanism = "scram-sha-512", Username = "u", Password = Secret }; o.Ssl.Enabled = true; }, ["use 9096"] },
        { "MSK TLS on 9092", o => (o.Brokers, o.Ssl.Enabled) = ("b-1.x.kafka.us-east-1.amazonaws.com:9092", true), ["use 9094"] },
        { "MSK open on 9094", o => o.Brokers = "b-1.x.kafka.us-east-1.amazonaws.com:9094", ["use 9092"] },
        { "MSK PLAIN", o =>
            { o.Brokers = "b-1.x.kafka.us-east-1.amazonaws.com:9096"; o.Sasl = new() { Username = "u", Password = Secret }; o.Ssl.Enabled = true; },
            ["MSK takes scram-sha-512"] },
        { "Confluent Cloud port", o => { Confluent(o); o.Brokers = "pkc-1.us-east-1.aws.confluent.cloud:9093"; }, ["use 9092"] },
        { "Confluent Cloud without TLS", o => { Confluent(o); o.Ssl.Enabled = false; }, ["Kafka:Ssl:Enabled", "Confluent Cloud"] },
        { "Confluent Cloud SCRAM", o => { Confluent(o); o.Sasl.Mechanism = "scram-sha-256"; }, ["Confluent Cloud takes plain"] },
        { "Confluent Cloud without a key", o => { Confluent(o); o.Sasl = new(); }, ["API key"] },
        { "Event Hubs port", o => { EventHubs(o); o.Brokers = "ns.servicebus.windows.net:9092"; }, ["use 9093"] },
        { "Event Hubs without TLS", o => { EventHubs(o); o.Ssl.Enabled = false; }, ["Kafka:Ssl:Enabled", "Event Hubs"] },
        { "Event Hubs lz4", o => { EventHubs(o); o.Compression = KafkaCompression.Lz4; }, ["Kafka:Compression = Lz4", "None or Gzip"] },
        { "Event Hubs zstd", o => { EventHubs(o); o.Compression = KafkaCompression.Zstd; }, ["Kafka:Compression = Zstd"] },
        { "Event Hubs snappy", o => { EventHubs(o); o.Compression = KafkaCompression.Snappy; }, ["Kafka:Compression = Snappy"] },
        { "Event Hubs expanded by the shell", o => { EventHubs(o); o.Sasl.Username = ""; }, ["your shell expanded `$ConnectionString`"] },
        { "Event Hubs other user", o => { EventHubs(o); o.Sasl.Username = "me"; }, ["Kafka:Sasl:Username", "$ConnectionString"] },
        { "Event Hubs SCRAM and the shell", o =>
            { EventHubs(o); o.Sasl = new() { Mechanism = "scram-sha-256", Password = Secret }; }, ["your shell expanded"] },
        { "Confluent Cloud SCRAM without a key", o => { Confluent(o); o.Sasl = new() { Mechanism = "scram-sha-256" }; }, ["API key as the user"] },
        { "no mechanism and no password", o => (o.Sasl.Mechanism, o.Sasl.Username) = ("md5", "u"), ["Kafka:Sasl:Password (KAFKA_SASL_PASSWORD)"] },
        { "no mechanism and no user", o => (o.Sasl.Mechanism, o.Sasl.Password) = ("md5", Secret), ["Kafka:Sasl:Username (KAFKA_SASL_USERNAME)"] },
        { "raw unknown beside another error", o =>
            (o.Parallelism, o.ClientProperties["no.such"]) = (0, "1"), ["Kafka:ClientProperties:no.such", "No such configuration property"] },
        { "Event Hubs SCRAM", o => { EventHubs(o); o.Sasl.Mechanism = "scram-sha-256"; }, ["Event Hubs takes plain"] },
        { "Local with TLS", o =>
            { o.UseLocal(); o.Ssl.Enabled = true; }, ["Kafka:Ssl:Enabled (KAFKA_SSL_ENABLED) = true", "Local is plain text", "Provider = Custom"] },
        { "Local with a user", o => o.UseLocal().Sasl("u", Secret), ["Kafka:Sasl:Username", "Local has no login"] },
        { "Local with tokens", o => { o.UseLocal(); o.Sasl.Mechanism = "oauthbearer"; }, ["Kafka:Sasl:Mechanism", "Local has no login"] },
        { "Local on Confluent Cloud", o =>
            o.UseLocal("pkc-1.us-east-1.aws.confluent.cloud:9092"), ["Kafka:Provider = Local", "Confluent Cloud: write ConfluentCloud"] },
        { "Confluent Cloud on MSK", o =>
            { Confluent(o); o.Provider = KafkaProvider.ConfluentCloud; o.Brokers = "b-1.x.kafka.us-east-1.amazonaws.com:9096"; },
            ["Kafka:Provider = ConfluentCloud", "MSK: write MskIam, MskScram"] },
        { "MSK on Event Hubs", o =>
            { o.UseMskScram("u", Secret); o.Brokers = "ns.servicebus.windows.net:9093"; }, ["Kafka:Provider = MskScram", "Event Hubs: write EventHubs"] },
        { "no such provider", o => o.Provider = (KafkaProvider)99, ["Kafka:Provider = 99", "Custom, Local, ConfluentCloud"] },
        { "Confluent Cloud nowhere", o => o.UseConfluentCloud("key", Secret), ["Kafka:Brokers (KAFKA_BROKERS)", "pkc-", ":9092"] },
        { "MSK IAM nowhere", o => o.Provider = KafkaProvider.MskIam, ["Kafka:Brokers", ":9098"] },
        { "MSK SCRAM nowhere", o => o.UseMskScram("u", Secret), ["Kafka:Brokers", ":9096"] },
        { "MSK TLS nowhere", o => o.UseMskTls("client.pem"), ["Kafka:Brokers", ":9094"] },
        { "MSK open nowhere", o => o.UseMskOpen(), ["Kafka:Brokers", ":9092"] },
        { "Event Hubs nowhere", o =>
            { o.Provider = KafkaProvider.EventHubs; o.Sasl.Mechanism = "oauthbearer"; }, ["Kafka:Brokers", "NAMESPACE.servicebus.windows.net:9093"] },
        { "Confluent Cloud named, without a key", o =>
            { o.Brokers = "proxy:9092"; o.Provider = KafkaProvider.ConfluentCloud; }, ["Kafka:Sasl:Username", "API key"] },
        { "Confluent Cloud without its secret", o => o.UseConfluentCloud("key", ""), ["Kafka:Sasl:Password", "no password"] },
        { "Confluent Cloud without its cluster", o =>
            o.UseConfluentCloudOidc("id", Secret, "https://login.example/token", ""), ["Kafka:Sasl:Oidc:LogicalCluster", "lkc-"] },
        { "OIDC without an id", o => o.UseConfluentCloudOidc("", Secret, "https://login.example/token", "lkc-1"), ["Kafka:Sasl:Oidc:ClientId"] },
        { "OIDC without its secret", o => o.UseConfluentCloudOidc("id", "", "https://login.example/token", "lkc-1"), ["Kafka:Sasl:Oidc:ClientSecret"] },
        { "OIDC from nowhere", o => o.UseConfluentCloudOidc("id", Secret, "login.example", "lkc-1"), ["Kafka:Sasl:Oidc:TokenEndpoint", "https://"] },
        { "OIDC in plain text", o =>
            o.UseConfluentCloudOidc("id", Secret, "http://login.example/token", "lkc-1"), ["Kafka:Sasl:Oidc:TokenEndpoint", "write https"] },
        { "OIDC and a password's mechanism", o =>
            { o.UseConfluentCloudOidc("id", Secret, "https://login.example/token", "lkc-1"); o.Sasl.Mechanism = "plain"; },
            ["Kafka:Sasl:Mechanism", "plain", "only oauthbearer"] },
        { "MSK IAM with another mechanism", o =>
            { o.Provider = KafkaProvider.MskIam; o.Sasl.Mechanism = "scram-sha-512"; }, ["Kafka:Sasl:Mechanism", "MskIam takes aws_msk_iam"] },
        { "MSK SCRAM with the lesser hash", o => { o.UseMskScram("u", Secret); o.Sasl.Mechanism = "scram-sha-256"; }, ["MskScram takes scram-sha-512"] },
        { "MSK SCRAM without a user", o => o.Provider = KafkaProvider.MskScram, ["Kafka:Sasl:Username", "AmazonMSK_"] },
        { "MSK SCRAM without TLS", o => { o.UseMskScram("u", Secret); o.Ssl.Enabled = false; }, ["Kafka:Ssl:Enabled", "for MSK write true"] },
        { "MSK TLS without a certificate", o => o.Provider = KafkaProvider.MskTls, ["Kafka:Ssl:Certificate (KAFKA_SSL_CERT)", "MskOpen"] },
        { "MSK TLS without TLS", o => { o.UseMskTls("client.pem"); o.Ssl.Enabled = false; }, ["Kafka:Ssl:Enabled", "for MSK write true"] },
        { "MSK TLS with a user", o => o.UseMskTls("client.pem")
            .Sasl("u", Secret, "scram-sha-512"), ["Kafka:Sasl:Username", "MskTls has no login", "MskScram"] },
        { "MSK open with tokens", o => { o.UseMskOpen(); o.Sasl.Mechanism = "aws_msk_iam"; }, ["Kafka:Sasl:Mechanism", "MskOpen has no login", "MskIam"] },
        { "Event Hubs named, with lz4", o =>
            { o.UseEventHubs(Connection); o.Compression = KafkaCompression.Lz4; }, ["Kafka:Compression = Lz4", "None or Gzip"] },
        { "Event Hubs and a million bytes", o =>
            { o.UseEventHubs(Connection); o.MaxMessageBytes = 1_000_000; }, ["Kafka:MaxMessageBytes = 1000000", "at most 999999"] },
        { "Event Hubs by its host and a million bytes", o =>
            { EventHubs(o); o.MaxMessageBytes = 1_000_000; }, ["Kafka:MaxMessageBytes = 1000000", "at most 999999"] },
        { "Event Hubs named, and the shell", o => { o.UseEventHubs(Connection); o.Sasl.Username = ""; }, ["your shell expanded"] },
        { "Event Hubs cut at its first semicolon", o =>
            o.UseEventHubs("Endpoint=sb://ns.servicebus.windows.net/"), ["Kafka:Sasl:Password", "cut it at its first `;`"] },
        { "connection string cut, wherever the broker is", o =>
            (o.Sasl.Username, o.Sasl.Password) = ("$ConnectionString", "Endpoint=sb://ns.servicebus.windows.net/"), ["cut it at its first `;`"] },
        { "Event Hubs without a key", o =>
            o.UseEventHubs("Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=all"), ["Kafka:Sasl:Password", "no SharedAccessKey:"] },
        { "Event Hubs without the key's name", o =>
            o.UseEventHubs($"Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKey={Secret}"), ["Kafka:Sasl:Password", "no SharedAccessKeyName:"] },
        { "Event Hubs without both", o =>
            o.UseEventHubs("Endpoint=sb://ns.servicebus.windows.net/;EntityPath=orders"),
            ["Kafka:Sasl:Password", "no SharedAccessKeyName and no SharedAccessKey"] },
        { "Event Hubs with a signature", o =>
            o.UseEventHubs($"Endpoint=sb://ns.servicebus.windows.net/;SharedAccessSignature={Secret}"), ["takes no SharedAccessSignature"] },
        { "Event Hubs with another password", o => o.UseEventHubs(Secret), ["Kafka:Sasl:Password", "Endpoint=sb://NAMESPACE"] },
        { "Event Hubs in double quotes", o => o.UseEventHubs($"\"{Connection}\""), ["Kafka:Sasl:Password", "Endpoint=sb://NAMESPACE"] },
        { "key without a certificate", o =>
            (o.Ssl.Enabled, o.Ssl.Key) = (true, Secret), ["Kafka:Ssl:Key (KAFKA_SSL_KEY)", "set Kafka:Ssl:Certificate (KAFKA_SSL_CERT)"] },
        { "key's password without a certificate", o =>
            (o.Ssl.Enabled, o.Ssl.KeyPassword) = (true, Secret), ["Kafka:Ssl:KeyPassword (KAFKA_SSL_KEY_PASSWORD)", "no certificate"] },
        { "no such certificate", o => o.Tls(certificate: "/no/such/client.pem"), ["Kafka:Ssl:Certificate (KAFKA_SSL_CERT): ", "no such file"] },
        { "no such PFX", o => o.Tls(certificate: "/no/such/client.pfx"), ["Kafka:Ssl:Certificate (KAFKA_SSL_CERT): ", "no such file"] },
        { "a key where its file belongs", o =>
            o.Tls(certificate: "-----BEGIN CERTIFICATE-----", key: Secret), ["Kafka:Ssl:Key (KAFKA_SSL_KEY)", "no such file"] },
        { "two certificates", o =>
            { o.Tls(certificate: "/no/such/client.pem"); o.ClientProperties["ssl.keystore.location"] = "/other.pfx"; },
            ["Kafka:ClientProperties:ssl.keystore.location", "Kafka:Ssl:Certificate", "remove one of them"] },
        { "an authority that is none", o => o.Tls(ca: typeof(KafkaOptions).Assembly.Location), ["Kafka:Ssl:Ca", "no certificate in the file"] },
        { "raw acks", o => o.ClientProperties["acks"] = "1", ["Kafka:ClientProperties:acks", "all replicas have it"] },
        { "raw idempotence", o =>
            o.ClientProperties["enable.idempotence"] = "false", ["Kafka:ClientProperties:enable.idempotence", "neither doubled nor reordered"] },
        { "raw partitioner", o => o.ClientProperties["partitioner"] = "random", ["Kafka:ClientProperties:partitioner", "the Java client's"] },
        { "raw commit", o =>
            o.ClientProperties["enable.auto.commit"] = "false", ["Kafka:ClientProperties:enable.auto.commit", "the engine decides what is committed"] },
        { "raw store", o =>
            o.ClientProperties["enable.auto.offset.store"] = "true",
            ["Kafka:ClientProperties:enable.auto.offset.store", "the engine decides what is committed"] },
        { "raw reset", o => o.ClientProperties["auto.offset.reset"] = "latest", ["Kafka:ClientProperties:auto.offset.reset", "StartPosition"] },
        { "raw reports", o =>
            o.ClientProperties["delivery.report.only.error"] = "true", ["Kafka:ClientProperties:delivery.report.only.error", "every send is reported"] },
        { "raw timeout", o => o.ClientProperties["message.timeout.ms"] = "5", ["Kafka:ClientProperties:message.timeout.ms", "KafkaOptions.SendTimeout"] },
        { "raw brokers", o => o.ClientProperties["bootstrap.servers"] = "a:1", ["KafkaOptions.Brokers"] },
        { "raw password", o => o.ClientProperties["sasl.password"] = Secret, ["KafkaOptions.Sasl.Password"] },
        { "raw protocol", o => o.ClientProperties["security.protocol"] = "ssl", ["KafkaOptions.Ssl.Enabled"] },
        { "raw assignor", o => o.ClientProperties["partition.assignment.strategy"] = "range", ["KafkaOptions.Assignor"] },
        { "raw group protocol", o => o.ClientProperties["group.protocol"] = "consumer", ["KafkaOptions.GroupProtocol"] },
        { "raw prefetch", o => o.ClientProperties["queued.max.messages.kbytes"] = "1", ["KafkaOptions.MaxBufferedBytes"] },
        { "raw Go", o => o.ClientProperties["go.batch.producer"] = "true", ["Go client"] },
        { "raw .NET", o => o.ClientProperties["dotnet.producer.delivery.report.fields"] = "none", ["engine's to choose"] },
        { "raw nothing", o => o.ClientProperties["client.rack"] = "", ["Kafka:ClientProperties:client.rack", "empty"] },
    };

    [Theory]
    [MemberData(nameof(Errors))]
    public void An_error_names_the_setting_and_what_to_write_instead(string name, Action<KafkaOptions> set, string[] parts)
    {
        var options = new KafkaOptions();
        set(options);

        var errors = KafkaOptionsValidator.Check(options, "Production").Errors;

        errors.Should().Contain(error => parts.All(part => error.Contains(part, StringComparison.Ordinal)), "of {0}", name);
        string.Concat(errors).Should().NotContain(Secret);
    }

    [Fact]
    public void Every_error_is_in_one_exception()
    {
        var options = new KafkaOptions { Brokers = "a", Parallelism = 0, ClientId = "", ClientProperties = { ["acks"] = "0" } };
        var init = () => KafkaOptionsValidator.Check(options, "Production").ThrowIfInvalid();

        init.Should().Throw<KafkaConfigurationException>().Which.Errors.Should().HaveCount(4);
        new KafkaOptionsValidator().Validate(null, options).Failures.Should().HaveCount(4);
    }

    [Fact]
    public void Every_error_is_in_the_options_own_validation_and_a_providers_builder_adds_to_it()
    {
        var services = new ServiceCollection();
        services.AddNaradKafka(o => o.Parallelism = 0).UseConfluentCloud("", Secret);
        using var provider = services.BuildServiceProvider();

        var options = provider.Invoking(s => s.GetRequiredService<IOptions<KafkaOptions>>().Value).Should().Throw<OptionsValidationException>().Which;
        var service = provider.Invoking(s => s.GetRequiredService<IKafkaService>()).Should().Throw<KafkaConfigurationException>().Which;

        options.Failures.Should().HaveCount(3).And.BeEquivalentTo(service.Errors);
        foreach (var setting in new[] { "Kafka:Parallelism", "Kafka:Brokers", "Kafka:Sasl:Username" })
        {
            options.Failures.Should()
                .ContainSingle(error => error.Contains(setting, StringComparison.Ordinal) && !error.Contains(Secret, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void A_raw_certificate_is_one_too() =>
        KafkaOptionsValidator.Check(
            new KafkaOptions { Brokers = "b-1.x.kafka.us-east-1.amazonaws.com:9094", Provider = KafkaProvider.MskTls,
                ClientProperties = { ["ssl.keystore.location"] = "/c.pfx", ["ssl.keystore.password"] = Secret } }, "Production")
            .Errors.Should().NotContain(error => error.Contains("Kafka:Ssl:Certificate"));

    [Fact]
    public void The_defaults_and_every_providers_settings_have_no_error()
    {
        var confluent = new KafkaOptions();
        Confluent(confluent);
        var hubs = new KafkaOptions();
        EventHubs(hubs);
        var msk = new KafkaOptions
        {
            Brokers = "b-1.x.kafka.us-east-1.amazonaws.com:9096, b-2.x.kafka.us-east-1.amazonaws.com:14001",
            Sasl = { Mechanism = "SCRAM-SHA-512", Username = "u", Password = Secret },
            Ssl = { Enabled = true },
        };
        var six = new KafkaOptions { Brokers = "[::1]:9092" };
        KafkaOptions[] named =
        [
            new KafkaOptions().UseLocal(),
            new KafkaOptions { Brokers = "pkc-1.us-east-1.aws.confluent.cloud:9092" }.UseConfluentCloud("key", Secret),
            new KafkaOptions { Brokers = "pkc-1.us-east-1.aws.confluent.cloud:9092" }.UseConfluentCloudOidc(
                "id", Secret, "https://login.example/token", "lkc-1", "pool-1"),
            new KafkaOptions { Brokers = "b-1.x.kafka.us-east-1.amazonaws.com:9196" }.UseMskScram("u", Secret),
            new KafkaOptions { Brokers = "b-1.x.kafka.us-east-1.amazonaws.com:9092" }.UseMskOpen(),
            new KafkaOptions { Brokers = "b-1.x.kafka.us-east-1.amazonaws.com:9094" }.UseMskOpen(tls: true),
            new KafkaOptions().UseEventHubs(Connection),
            new KafkaOptions { Brokers = "b-1.x.kafka.us-east-1.amazonaws.com:9098", Provider = KafkaProvider.MskIam,
                Sasl = { Username = "AWS", Password = Secret, TokenProvider = _ => throw new NotSupportedException() } },
        ];

        foreach (var options in named.Concat([new KafkaOptions(), confluent, hubs, msk, six]))
        {
            KafkaOptionsValidator.Check(options, "Production").Should().BeEquivalentTo(new ConfigurationReport([], []));
        }
    }

    [Fact]
    public void A_wrong_port_on_other_hosts_is_only_a_warning()
    {
        var options = new KafkaOptions
        {
            Brokers = "kafka.example:9092", Sasl = { Username = "$ConnectionString", Password = Connection }, Ssl = { Enabled = true },
        };
        var report = KafkaOptionsValidator.Check(options, "Production");

        report.Errors.Should().BeEmpty();
        report.Warnings.Should().ContainSingle().Which.Should().Contain("9093");
    }

    [Fact]
    public void A_named_providers_wrong_port_behind_a_proxy_is_only_a_warning()
    {
        var options = new KafkaOptions { Brokers = "proxy.example:19092" }.UseConfluentCloud("key", Secret);
        var report = KafkaOptionsValidator.Check(options, "Production");

        report.Errors.Should().BeEmpty();
        report.Warnings.Should().ContainSingle().Which.Should().Contain("proxy.example:19092").And.Contain("Confluent Cloud usually listens on port 9092");
    }

    [Fact]
    public void A_key_of_one_event_hub_and_of_another_namespace_are_warned_of()
    {
        var options = new KafkaOptions { Brokers = "other.servicebus.windows.net:9093" }.UseEventHubs($"{Connection};EntityPath=orders");
        var report = KafkaOptionsValidator.Check(options, "Production");

        report.Errors.Should().BeEmpty();
        report.Warnings.Should().HaveCount(2);
        report.Warnings.Should().Contain(warning => warning.Contains("EntityPath") && warning.Contains("'orders'"));
        report.Warnings.Should()
            .Contain(warning => warning.Contains("other.servicebus.windows.net:9093") && warning.Contains("write ns.servicebus.windows.net:9093"));
        string.Concat(report.Warnings).Should().NotContain(Secret);
    }

    [Fact]
    public void Unverified_certificates_warn_outside_production_and_where_allowed_by_name()
    {
        var options = new KafkaOptions { Ssl = { Enabled = true, RejectUnauthorized = false } };

        KafkaOptionsValidator.Check(options, "Development").Warnings.Should().ContainSingle().Which.Should().Contain("KAFKA_SSL_REJECT_UNAUTHORIZED");
        options.Ssl.AllowUnverifiedInProduction = true;
        var report = KafkaOptionsValidator.Check(options, "Production");
        report.Errors.Should().BeEmpty();
        report.Warnings.Should().ContainSingle();
    }

    [Fact]
    public void The_embedded_broker_does_not_ask_for_the_real_ones_settings()
    {
        var options = new KafkaOptions { Mode = KafkaMode.Embedded, Brokers = "", Sasl = { Mechanism = "aws_msk_iam", Username = "AWS" } };

        KafkaOptionsValidator.Check(options, "Production").Errors.Should().BeEmpty();
    }

    [Fact]
    [Trait("Promise", "S30")]
    public void A_password_is_in_no_text_of_options_errors_or_exceptions()
    {
        var options = new KafkaOptions
        {
            Brokers = $"user:{Secret}@kafka",
            Sasl = { Mechanism = "nonsense", Username = "u", Password = Secret },
            Ssl = { Enabled = true, RejectUnauthorized = false },
            ClientProperties = { ["sasl.password"] = Secret, ["ssl.key.password"] = Secret, ["no.such.thing"] = Secret },
        };
        var report = KafkaOptionsValidator.Check(options, "Production");
        var all = $"{options} {options.Sasl} {new KafkaConfigurationException(report.Errors)} {string.Concat(report.Warnings)}";

        report.Errors.Should().HaveCountGreaterThanOrEqualTo(4);
        all.Should().NotContain(Secret);
    }

    [Fact]
    public void What_the_client_itself_refuses_is_reported_property_by_property_without_secrets()
    {
        var options = new KafkaOptions
        {
            ClientProperties =
            {
                ["no.such.thing"] = "1", ["batch.size"] = "lots", ["fetch.min.bytes"] = "-5", ["client.rack"] = "r1", ["ssl.key.pem"] = Secret,
            },
        };
        var errors = ClientBuildCheck.Check(options);

        errors.Should().Contain(error => error.Contains("Kafka:ClientProperties:no.such.thing") && error.Contains("No such configuration property"));
        errors.Should().Contain(error => error.Contains("Kafka:ClientProperties:batch.size"));
        errors.Should().Contain(error => error.Contains("Kafka:ClientProperties:fetch.min.bytes"));
        errors.Should().NotContain(error => error.Contains("client.rack"));
        string.Concat(errors).Should().NotContain(Secret);
        ClientBuildCheck.Check(new KafkaOptions { ClientProperties = { ["client.rack"] = "r1" } }).Should().BeEmpty();
    }

    [Fact]
    public void The_embedded_brokers_security_and_the_consoles_properties_are_not_tried()
    {
        var embedded = new KafkaOptions
        {
            Mode = KafkaMode.Embedded, Ssl = { Enabled = true, Ca = "/no/such/ca.pem" }, ClientProperties = { ["client.rack"] = "r1" },
        };
        var console = new KafkaOptions { Mode = KafkaMode.Console, ClientProperties = { ["no.such"] = "1" } };

        KafkaOptionsValidator.Check(embedded, "Production").Errors.Should().BeEmpty();
        KafkaOptionsValidator.Check(console, "Development").Errors.Should().BeEmpty();
    }

    private static void Confluent(KafkaOptions options)
    {
        options.Brokers = "pkc-1.us-east-1.aws.confluent.cloud:9092";
        options.Ssl.Enabled = true;
        options.Sasl = new() { Username = "key", Password = Secret };
    }

    private static void EventHubs(KafkaOptions options)
    {
        options.Brokers = "ns.servicebus.windows.net:9093";
        options.Ssl.Enabled = true;
        options.Sasl = new() { Username = "$ConnectionString", Password = Connection };
    }
}
