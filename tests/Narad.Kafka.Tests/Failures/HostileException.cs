namespace Narad.Kafka.Tests.Failures;

/// <summary>Exceptions of applications whose own code is at fault.</summary>
internal sealed class HostileException(HostileException.Fault fault) : Exception
{
    public enum Fault
    {
        MessageIsNull,
        MessageThrows,
        StackTraceThrows,
        ToStringThrows,
        AllThrow,
    }

    public override string Message => fault switch
    {
        Fault.MessageIsNull => null!,
        Fault.MessageThrows or Fault.AllThrow => throw new InvalidOperationException("no message"),
        _ => "a message",
    };

    public override string? StackTrace => fault is Fault.StackTraceThrows or Fault.AllThrow ? throw new InvalidOperationException("no stack trace")
        : base.StackTrace;

    public override string ToString() => fault is Fault.ToStringThrows or Fault.AllThrow ? throw new InvalidOperationException("no text") : base.ToString();
}
