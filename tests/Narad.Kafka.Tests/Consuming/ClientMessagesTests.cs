using System.Reflection;
using Confluent.Kafka;
using Narad.Kafka.Consuming;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>What Confluent.Kafka's own <c>Consume</c> throws.</summary>
public sealed class ClientMessagesTests
{
    // Seen when another member takes over a static identity: the loop that reads would end for a reason that nobody can act upon.
    [Fact]
    public void An_error_that_Confluent_Kafka_cannot_read_is_an_error_of_consuming()
    {
        var messages = new ClientMessages(Failing.With(new InvalidOperationException("FATAL: Cannot marshal from a NULL ptr.")));

        var thrown = messages.Invoking(it => it.TryTake(TimeSpan.Zero, out _)).Should().Throw<ConsumeException>().Which;

        thrown.Error.IsFatal.Should().BeFalse("whether the client failed for good is reported on its own");
        thrown.Error.Reason.Should().Contain("Cannot marshal from a NULL ptr");
    }

    [Fact]
    public void A_client_that_is_disposed_is_no_error_of_consuming()
    {
        var messages = new ClientMessages(Failing.With(new ObjectDisposedException("client")));

        messages.Invoking(it => it.TryTake(TimeSpan.Zero, out _)).Should().Throw<ObjectDisposedException>();
    }

    /// <summary>A consumer whose methods all throw.</summary>
    public class Failing : DispatchProxy
    {
        private Exception? _error;

        public static IConsumer<byte[]?, byte[]?> With(Exception error)
        {
            var consumer = Create<IConsumer<byte[]?, byte[]?>, Failing>();
            ((Failing)(object)consumer)._error = error;
            return consumer;
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => throw _error!;
    }
}
