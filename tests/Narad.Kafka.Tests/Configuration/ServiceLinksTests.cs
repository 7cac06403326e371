using Narad.Kafka.Configuration;

namespace Narad.Kafka.Tests.Configuration;

/// <summary>Variables that Kubernetes adds for services whose names begin with kafka are no settings.</summary>
public sealed class ServiceLinksTests
{
    [Fact]
    public void Kubernetes_service_links_are_ignored_with_one_warning()
    {
        var options = From(
            ("KAFKA_TOPIC_EXPORTER_PORT", "tcp://10.0.0.7:80"), ("KAFKA_TOPIC_EXPORTER_SERVICE_HOST", "10.0.0.7"), ("KAFKA_TOPIC_EXPORTER_SERVICE_PORT", "80"),
            ("KAFKA_TOPIC_EXPORTER_SERVICE_PORT_HTTP", "80"), ("KAFKA_TOPIC_EXPORTER_PORT_80_TCP", "tcp://10.0.0.7:80"),
                ("KAFKA_TOPIC_EXPORTER_PORT_80_TCP_PROTO", "tcp"),
            ("KAFKA_TOPIC_EXPORTER_PORT_80_TCP_ADDR", "10.0.0.7"), ("KAFKA_PORT", "tcp://10.0.0.8:9092"), ("KAFKA_SERVICE_HOST", "10.0.0.8"),
                ("KAFKA_PORT_9092_TCP", "tcp://10.0.0.8:9092"),
            ("KAFKA_TOPIC_ORDERS", "shop-orders"), ("KAFKA_TOPIC_EXPORTER_SERVICE", "exports"), ("KAFKA_TOPIC_EXPORTER_PORTS", "ports"));

        options.TopicNames.Should()
            .Equal(new Dictionary<string, string> { ["orders"] = "shop-orders", ["exporter-service"] = "exports", ["exporter-ports"] = "ports" });
        var report = KafkaOptionsValidator.Check(options, "Production");
        report.Errors.Should().BeEmpty();
        report.Warnings.Should().ContainSingle().Which.Should().Contain("KAFKA_PORT and 9 more").And.Contain("enableServiceLinks: false");
    }

    [Fact]
    public void A_topic_that_is_named_like_a_service_link_stays_a_topic_where_there_is_no_service()
    {
        var options = From(("KAFKA_TOPIC_AIR_PORT", "air-port"), ("KAFKA_TOPIC_AIR_SERVICE_HOST", "hosts"));

        options.TopicNames.Should().HaveCount(2);
        options.BindingWarnings.Should().BeEmpty();
    }

    private static KafkaOptions From(params (string Name, string Value)[] variables)
    {
        var options = new KafkaOptions();
        KafkaEnvironment.Apply(options, variables.ToDictionary(variable => variable.Name, variable => variable.Value));
        return options;
    }
}
