using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Narad.Kafka.Tests.Configuration;

/// <summary>The one Kafka service of an application is registered once.</summary>
public sealed class RegistrationTests
{
    [Fact]
    public void Registering_twice_is_an_error_in_each_form()
    {
        var configuration = new ConfigurationBuilder().Build();
        Action<IServiceCollection>[] forms = [services => services.AddNaradKafka(),
            services => services.AddNaradKafka(options => options.Brokers = "other:9092"), services => services.AddNaradKafka(configuration)];
        foreach (var first in forms)
        {
            foreach (var second in forms)
            {
                var services = new ServiceCollection();
                first(services);
                FluentActions.Invoking(() => second(services)).Should().Throw<InvalidOperationException>()
                    .WithMessage("*AddNaradKafka was called before*builder that the first call returns*");
            }
        }
    }

    [Fact]
    public void The_builder_of_the_first_call_takes_settings_and_the_health_check_is_another_registration()
    {
        var services = new ServiceCollection();
        services.AddNaradKafka(options => options.ClientId = "first").Configure(options => options.ClientId = "second");
        services.AddHealthChecks().AddNaradKafka();

        using var provider = services.BuildServiceProvider();
        provider.GetRequiredService<Microsoft.Extensions.Options.IOptions<KafkaOptions>>().Value.ClientId.Should().Be("second");
    }
}
