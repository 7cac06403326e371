using System.Diagnostics;
using Narad.Kafka.Shared;
using Xunit.Abstractions;

namespace Narad.Kafka.Tests.Connecting;

/// <summary>The doctor: through all steps where all is well, and at the failing one with the cause and what to change.</summary>
public sealed class KafkaDoctorTests(ITestOutputHelper output) : IDisposable
{
    // Where each of the wrong set-ups is found.
    private static readonly Dictionary<string, string> FailingSteps = new(StringComparer.Ordinal)
    {
        ["wrong password (plain)"] = "login",
        ["wrong password (SCRAM)"] = "login",
        ["a user that only another mechanism knows"] = "login",
        ["a mechanism that the listener does not know"] = "login",
        ["a login where the listener knows none"] = "login",
        ["no login where the listener asks for one"] = "login",
        ["no login, with TLS"] = "login",
        ["a token that the broker does not take"] = "login",
        ["a token that has expired"] = "login",
        ["a token source that fails"] = "login",
        ["nobody makes a token"] = "login",
        ["another authority than the brokers'"] = "TLS",
        ["a private authority, and none given"] = "TLS",
        ["a certificate for other names"] = "TLS",
        ["a certificate that has expired"] = "TLS",
        ["no client certificate"] = "login",
        ["a client certificate of another authority"] = "login",
        ["TLS to a plain-text port"] = "TLS",
        ["TLS and a login to a port without TLS"] = "TLS",
        ["plain text to a TLS port"] = "login",
        ["a login without TLS to a TLS port"] = "login",
        ["a host that nobody knows"] = "names",
        ["nobody listens"] = "connections",
        ["a port that accepts and never answers"] = "login",
        ["an advertised address that cannot be reached"] = "cluster",
    };

    private readonly List<IDisposable> _open = [];

    public static TheoryData<string, string> WrongOnes()
    {
        var data = new TheoryData<string, string>();
        foreach (var row in TroubleshootingPage.Table("wrong-set-ups"))
        {
            data.Add(row[0], row[3]);
        }

        return data;
    }

    public void Dispose() => _open.ForEach(static opened => opened.Dispose());

    [SkippableTheory]
    [MemberData(nameof(WrongOnes))]
    public async Task A_wrong_set_up_is_found_at_its_step_with_the_words_of_the_exception(string setUp, string words)
    {
        var options = WrongSetUps.Connecting[setUp](_open);
        options.ConnectTimeout = TimeSpan.FromSeconds(10);   // on a busy machine a broker's answer takes more than 3 s
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        var report = await new KafkaDoctor(options).ExamineAsync("any");
        output.WriteLine($"{watch.ElapsedMilliseconds} ms\n{report}");

        report.IsSuccessful.Should().BeFalse();
        report.Steps[^1].Name.Should().Be(FailingSteps[setUp]);
        report.Steps[^1].Outcome.Should().Be(DoctorOutcome.Failed);
        report.Steps[^1].Recommendation.Should().Contain("Kafka:");
        report.Steps.SkipLast(1).Should().NotContain(step => step.Outcome == DoctorOutcome.Failed);
        report.Summary.Should().StartWith("Kafka connection failed: ").And.Contain(words);
        report.ToString().Should().EndWith(report.Summary + Environment.NewLine);
        watch.Elapsed.Should().BeLessThan(options.ConnectTimeout + TimeSpan.FromSeconds(15) + stalls.Allowance);
        foreach (var secret in new[] { options.Sasl.Password, "oidc-secret" }.OfType<string>())
        {
            report.ToString().Should().NotContain(secret);
        }
    }

    [SkippableTheory]
    [InlineData("plain text")]
    [InlineData("SCRAM")]
    [InlineData("TLS and PLAIN")]
    [InlineData("mutual TLS")]
    public async Task Where_all_is_well_each_step_says_what_it_found_and_nothing_is_left_behind(string listener)
    {
        var topic = await RealKafka.CreateTopicAsync();
        var options = listener switch
        {
            "SCRAM" => WrongSetUps.Login(Listeners.Sasl, "scram-sha-256"),
            "TLS and PLAIN" => WrongSetUps.Trusting(WrongSetUps.Login(Listeners.SaslTls, "plain")),
            "mutual TLS" => WithCertificate(WrongSetUps.Trusting(WrongSetUps.Options(Listeners.MutualTls))),
            _ => WrongSetUps.Options(Listeners.Plaintext),
        };
        options.ConnectTimeout = TimeSpan.FromSeconds(20);
        var told = new Told();
        var report = await new KafkaDoctor(options).ExamineAsync(topic, told);
        output.WriteLine(report.ToString());

        report.Summary.Should().Be("Kafka connection successful");
        report.IsSuccessful.Should().BeTrue();
        report.Steps.Select(step => step.Name).Should().Equal("settings", "names", "connections", "TLS", "login", "cluster", "topic", "produce", "consume");
        report.Steps.Should().NotContain(step => step.Outcome == DoctorOutcome.Failed);
        told.Steps.Should().Equal(report.Steps);
        report.Steps.Single(step => step.Name == "cluster").Details.Should().Contain("broker 1 at ").And.Contain("accepts connections");
        report.Steps.Single(step => step.Name == "TLS").Details.Should()
            .Contain(options.Ssl.Enabled ? "certificate for localhost, 127.0.0.1" : "the settings ask for none");
        await ExpectNoGroupAsync();
    }

    [Fact]
    public async Task On_the_embedded_broker_it_makes_the_same_steps()
    {
        using var broker = EmbeddedBroker.Start();
        var report = await new KafkaDoctor(new KafkaOptions { Mode = KafkaMode.Embedded, EmbeddedBroker = broker }).ExamineAsync("orders");
        output.WriteLine(report.ToString());
        report.Summary.Should().Be("Kafka connection successful");
        report.Steps.Should().HaveCount(9);
    }

    [Fact]
    public async Task In_console_mode_it_says_that_nothing_is_connected()
    {
        var report = await new KafkaDoctor(new KafkaOptions { Mode = KafkaMode.Console, Environment = "Staging" }).ExamineAsync("orders");
        report.Steps.Should().ContainSingle().Which.Name.Should().Be("settings");
        report.Summary.Should().StartWith("Kafka connection failed: the mode is Console, so nothing is connected").And.Contain("KAFKA_MODE");
        report.IsSuccessful.Should().BeFalse();
    }

    [Fact]
    public async Task Every_error_of_the_settings_is_logged_and_nothing_is_tried()
    {
        var report = await new KafkaDoctor(
            new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = "http://a", Sasl = { Mechanism = "md5", Username = "u", Password = "p-secret" } })
            .ExamineAsync();
        report.Steps.Should().ContainSingle();
        report.Summary.Should().Contain("Kafka:Brokers (KAFKA_BROKERS)").And.Contain("Kafka:Sasl:Mechanism (KAFKA_SASL_MECHANISM)").And.NotContain("p-secret");
    }

    [Fact]
    public async Task A_missing_topic_is_named()
    {
        using var broker = EmbeddedBroker.Start();
        var report = await new KafkaDoctor(new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = broker.BootstrapServers }).ExamineAsync("not-there");
        report.Steps[^1].Name.Should().Be("topic");
        report.Summary.Should().Contain("The topic 'not-there' does not exist.").And.Contain("Kafka:TopicCreation");
    }

    [SkippableTheory]
    [InlineData("Describe", "produce", "Write on topic")]
    [InlineData("Write", "consume", "Read on topic")]
    public async Task A_missing_right_is_named(string right, string step, string words)
    {
        await using var lists = new AccessLists();
        var topic = await RealKafka.CreateTopicAsync();
        await lists.GrantAsync(Confluent.Kafka.Admin.ResourceType.Topic, topic, Enum.Parse<Confluent.Kafka.Admin.AclOperation>(right));
        var report = await new KafkaDoctor(AccessLists.Options).ExamineAsync(topic);
        output.WriteLine(report.ToString());
        report.Steps[^1].Name.Should().Be(step);
        report.Steps[^1].Recommendation.Should().Contain($"{words} '{topic}'");
    }

    [Fact]
    public async Task Cancelling_ends_it()
    {
        using var silent = TestListener.Silent();
        using var cancelled = new CancellationTokenSource(300);
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        await FluentActions.Awaiting(() =>
            new KafkaDoctor(new KafkaOptions { Mode = KafkaMode.Kafka, Brokers = silent.Address, ConnectTimeout = TimeSpan.FromMinutes(1) })
            .ExamineAsync(cancellationToken: cancelled.Token))
            .Should().ThrowAsync<OperationCanceledException>();
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(5) + stalls.Allowance);
    }

    private static KafkaOptions WithCertificate(KafkaOptions options)
    {
        options.Ssl.Certificate = Listeners.Certificate;
        options.Ssl.Key = Listeners.Key;
        return options;
    }

    private static async Task ExpectNoGroupAsync() =>
        (await BrokerRequest.GroupsAsync(RealKafka.Brokers)).Should().NotContain(group => group.StartsWith("narad-doctor", StringComparison.Ordinal));

    private sealed class Told : IProgress<DoctorStep>
    {
        public List<DoctorStep> Steps { get; } = [];

        public void Report(DoctorStep value) => Steps.Add(value);
    }
}
