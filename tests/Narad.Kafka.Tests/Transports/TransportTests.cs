using System.Diagnostics;
using Confluent.Kafka;
using Narad.Kafka.Diagnostics;
using Narad.Kafka.Shared;
using Narad.Kafka.Transports;

namespace Narad.Kafka.Tests.Transports;

/// <summary>The embedded broker and the probe, on every transport that needs no server.</summary>
public sealed class TransportTests : IDisposable
{
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(1);
    private readonly EmbeddedBroker _broker = EmbeddedBroker.Start();

    public void Dispose() => _broker.Dispose();

    [Fact, Trait("Promise", "S3")]
    public async Task A_probe_is_true_while_the_broker_answers_false_when_it_is_down_and_true_within_5_s_of_its_return()
    {
        await using var transport = Transport.For(KafkaMode.Embedded, new KafkaOptions { EmbeddedBroker = _broker }, new KafkaDiagnostics());
        (await transport.ProbeAsync(ProbeTimeout, default)).Should().BeTrue();
        transport.ConnectionFault.Should().BeNull();

        _broker.StopBroker();
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        (await transport.ProbeAsync(ProbeTimeout, default)).Should().BeFalse();
        watch.Elapsed.Should().BeLessThan(ProbeTimeout + TimeSpan.FromSeconds(1) + stalls.Allowance);
        transport.ConnectionFault!.ToString().Should().Contain("Connect to").And.NotContain("brokers are down");

        _broker.StartBroker();
        watch.Restart();
        while (!await transport.ProbeAsync(ProbeTimeout, default))
        {
            watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(5) + stalls.Allowance);
        }

        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(5) + stalls.Allowance);
        transport.ConnectionFault.Should().BeNull();
    }

    [Fact, Trait("Promise", "S3")]
    [Trait("Trap", "hung-broker")]
    public async Task A_probe_of_a_broker_that_accepts_and_never_answers_is_false_in_time_and_true_when_it_answers_again()
    {
        await using var transport = Transport.For(KafkaMode.Kafka, new KafkaOptions { Brokers = _broker.BootstrapServers }, new KafkaDiagnostics());
        (await transport.ProbeAsync(ProbeTimeout, default)).Should().BeTrue();

        _broker.SetLatency(TimeSpan.FromMinutes(1));
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        (await transport.ProbeAsync(ProbeTimeout, default)).Should().BeFalse();
        watch.Elapsed.Should().BeLessThan(ProbeTimeout + TimeSpan.FromSeconds(1) + stalls.Allowance);
        transport.ConnectionFault.Should().NotBeNull();

        _broker.SetLatency(TimeSpan.Zero);
        watch.Restart();
        while (!await transport.ProbeAsync(ProbeTimeout, default))
        {
            watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(5) + stalls.Allowance);
        }
    }

    [Fact]
    public async Task A_probe_that_is_cancelled_throws_at_once()
    {
        _broker.StopBroker();
        await using var transport = Transport.For(KafkaMode.Embedded, new KafkaOptions { EmbeddedBroker = _broker }, new KafkaDiagnostics());
        using var cancelled = new CancellationTokenSource(50);
        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        await transport.Invoking(t => t.ProbeAsync(TimeSpan.FromSeconds(30), cancelled.Token)).Should().ThrowAsync<OperationCanceledException>();
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(5) + stalls.Allowance);
    }

    [Fact]
    public async Task A_transport_whose_broker_hangs_is_disposed_in_bounded_time_and_answers_false_afterwards()
    {
        var transport = Transport.For(KafkaMode.Kafka, new KafkaOptions { Brokers = _broker.BootstrapServers }, new KafkaDiagnostics());
        (await transport.ProbeAsync(ProbeTimeout, default)).Should().BeTrue();
        _broker.SetLatency(TimeSpan.FromMinutes(1));
        await transport.ProbeAsync(TimeSpan.FromMilliseconds(100), default);

        using var stalls = new Stalls();
        var watch = Stopwatch.StartNew();
        await transport.DisposeAsync();
        await transport.DisposeAsync();
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(5) + stalls.Allowance);
        (await transport.ProbeAsync(ProbeTimeout, default)).Should().BeFalse();
    }

    [Fact]
    public async Task A_broker_that_was_given_outlives_its_transport_and_an_own_one_does_not()
    {
        var shared = Transport.For(KafkaMode.Embedded, new KafkaOptions { EmbeddedBroker = _broker }, new KafkaDiagnostics());
        var own = Transport.For(KafkaMode.Embedded, new KafkaOptions(), new KafkaDiagnostics());
        await using var observer = Transport.For(KafkaMode.Kafka, new KafkaOptions { Brokers = own.BootstrapServers }, new KafkaDiagnostics());
        (await own.ProbeAsync(ProbeTimeout, default)).Should().BeTrue();
        (await observer.ProbeAsync(ProbeTimeout, default)).Should().BeTrue();

        await shared.DisposeAsync();
        await own.DisposeAsync();

        _broker.CreateTopic("still-there").Should().BeTrue();
        (await observer.ProbeAsync(ProbeTimeout, default)).Should().BeFalse();
    }

    [Fact, Trait("Promise", "S3")]
    public async Task The_console_answers_no_probe()
    {
        await using var transport = Transport.For(KafkaMode.Console, new KafkaOptions(), new KafkaDiagnostics());
        (await transport.ProbeAsync(ProbeTimeout, default)).Should().BeFalse();
        transport.BootstrapServers.Should().BeEmpty();
        transport.ConnectionFault.Should().BeNull();
    }

    [Fact]
    public async Task A_configuration_that_the_client_refuses_makes_the_probe_false_and_says_why()
    {
        var options = new KafkaOptions { Brokers = "127.0.0.1:1", Ssl = { Enabled = true, Ca = "/no/such/file.pem" } };
        await using var transport = Transport.For(KafkaMode.Kafka, options, new KafkaDiagnostics());
        (await transport.ProbeAsync(ProbeTimeout, default)).Should().BeFalse();
        transport.ConnectionFault.Should().NotBeNull();
    }

    [Fact]
    public void Starting_an_embedded_broker_takes_a_number_of_brokers()
    {
        using var three = EmbeddedBroker.Start(3);
        three.BootstrapServers.Split(',').Should().HaveCount(3);
        three.Invoking(broker => broker.StopBroker(4)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => EmbeddedBroker.Start(0)).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void A_disposed_embedded_broker_says_so_and_can_be_disposed_again_while_clients_are_connected()
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = _broker.BootstrapServers }).SetLogHandler((_, _) => { }).Build();
        admin.GetMetadata(TimeSpan.FromSeconds(5)).Brokers.Should().HaveCount(1);
        _broker.Dispose();
        _broker.Dispose();
        _broker.Invoking(broker => broker.CreateTopic("x")).Should().Throw<ObjectDisposedException>().WithMessage("*EmbeddedBroker*");
    }

    [Fact]
    public async Task Errors_that_were_asked_for_are_answered_in_order_and_can_be_cleared()
    {
        _broker.CreateTopic("t", 1);
        using var producer = new ProducerBuilder<Null, byte[]>(new ProducerConfig { BootstrapServers = _broker.BootstrapServers, MessageSendMaxRetries = 0 })
            .SetLogHandler((_, _) => { }).Build();
        _broker.FailNext(KafkaRequest.Produce, ErrorCode.NoError, ErrorCode.MsgSizeTooLarge, ErrorCode.MsgSizeTooLarge);
        async Task<ErrorCode> SendAsync()
        {
            try
            {
                await producer.ProduceAsync("t", new Message<Null, byte[]> { Value = [1] });
                return ErrorCode.NoError;
            }
            catch (ProduceException<Null, byte[]> failure)
            {
                return failure.Error.Code;
            }
        }

        (await SendAsync()).Should().Be(ErrorCode.NoError);
        (await SendAsync()).Should().Be(ErrorCode.MsgSizeTooLarge);
        _broker.ClearFailures(KafkaRequest.Produce);
        (await SendAsync()).Should().Be(ErrorCode.NoError);
        _broker.Invoking(broker => broker.FailNext((KafkaRequest)999, ErrorCode.Unknown)).Should().Throw<ArgumentOutOfRangeException>();
    }
}
