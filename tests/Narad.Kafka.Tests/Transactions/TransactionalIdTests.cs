using Microsoft.Extensions.Logging.Abstractions;
using Narad.Kafka.Transactions;

namespace Narad.Kafka.Tests.Transactions;

/// <summary>The transactional.id is the same after a restart, and another one for whoever runs at the same time.</summary>
public sealed class TransactionalIdTests
{
    private readonly string _group = RealKafka.NewName("ids");

    [Fact]
    [Trait("Promise", "S27")]
    public void Instances_of_one_machine_have_different_ones_and_a_restarted_one_has_its_own_again()
    {
        var (first, second) = (Take(), Take());
        first.Name.Should().Be($"orders-{_group}-{Environment.MachineName}-{InstanceFolder.User}-0");
        second.Name.Should().Be($"orders-{_group}-{Environment.MachineName}-{InstanceFolder.User}-1");

        first.Dispose();
        using var restarted = Take();
        using var third = Take();

        restarted.Name.Should().Be(first.Name);
        third.Name.Should().EndWith("-2");
        second.Dispose();
    }

    [Fact]
    public void An_instance_that_was_named_has_that_name()
    {
        using var named = Take(t => { t.InstanceName = "web-1"; t.TransactionalIdPrefix = "shop"; });
        using var group = TransactionalId.Take(ExactlyOnceSettings.From(new ExactlyOnceOptions(),
            new KafkaOptions { ClientId = "orders", GroupInstanceId = "static-1" }), _group, NullLogger.Instance);

        named.Name.Should().Be($"shop-{_group}-web-1");
        group.Name.Should().Be($"orders-{_group}-static-1");
    }

    private TransactionalId Take(Action<ExactlyOnceOptions>? configure = null)
    {
        var options = new ExactlyOnceOptions();
        configure?.Invoke(options);
        return TransactionalId.Take(ExactlyOnceSettings.From(options, new KafkaOptions { ClientId = "orders" }), _group, NullLogger.Instance);
    }
}
