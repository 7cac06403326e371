using System.ComponentModel.DataAnnotations;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Narad.Kafka;

namespace Notifications.Producer;

/// <summary><c>Notifications produce</c>: sends a stream of notifications or a file, and shows the progress.</summary>
internal static partial class ProduceCommand
{
    private const string Usage = "Notifications produce [--count=N] [--rate=PER-SECOND] [--users=user1,user2] [--file=FILE.jsonl] [--Kafka:Brokers=HOST:PORT]";

    /// <returns>The exit code: 0, 1 where something was not sent, 2 where an argument is wrong.</returns>
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter errors)
    {
        if (Read(args, errors) is not { } options)
        {
            return 2;
        }

        var configuration = new ConfigurationBuilder().AddEnvironmentVariables().AddCommandLine(args).Build();   // of the library

        using var stopping = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        try
        {
            var services = new ServiceCollection();
            services.AddNaradKafka(configuration, static kafka => kafka.ClientId = "notifications-producer");
            await using var provider = services.BuildServiceProvider();
            var kafka = provider.GetRequiredService<IKafkaService>();
            await kafka.Init().ConnectProducerAsync(stopping.Token);
            var producer = new NotificationProducer(kafka, TimeProvider.System, output);
            var isComplete = options.File is { } file
                ? await producer.SendAsync(NotificationSource.ReadAsync(file, producer.Refuse, TimeProvider.System), options.Rate ?? 0, stopping.Token)
                : await producer.SendAsync(NotificationSource.Stream(options, TimeProvider.System), options.Rate ?? 1, stopping.Token);
            await kafka.DisconnectAsync();
            return isComplete ? 0 : 1;
        }
        catch (Exception failure) when (failure is NaradKafkaException or IOException or UnauthorizedAccessException)
        {
            await errors.WriteLineAsync(failure.Message);
            return 1;
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return 1;   // before anything was sent
        }

        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stopping.Cancel();
        }
    }

    private static ProduceOptions? Read(string[] args, TextWriter errors)
    {
        try
        {
            var options = new ProduceOptions();
            new ConfigurationBuilder().AddCommandLine(args).Build().Bind(options);
            Validator.ValidateObject(options, new ValidationContext(options), validateAllProperties: true);
            if (Array.Find(args, static argument => !Argument().IsMatch(argument)) is { } wrong)
            {
                throw new ValidationException($"'{wrong}' is no argument: write --NAME=VALUE.");
            }

            if (options.Users.Split(',').FirstOrDefault(static user => !Notification.IsUserId(user)) is { } user)
            {
                throw new ValidationException($"'{user}' is no user: an id has 1 to 100 letters, digits, and . _ - @ + :");
            }

            return options;
        }
        catch (Exception wrong) when (wrong is ValidationException or InvalidOperationException)
        {
            errors.WriteLine($"{wrong.Message}\n{Usage}");
            return null;
        }
    }

    [GeneratedRegex(
        "^--(count|rate|users|file|Kafka:[^=]+|KAFKA_[^=]+)=", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Argument();
}
