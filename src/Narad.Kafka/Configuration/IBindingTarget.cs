namespace Narad.Kafka.Configuration;

/// <summary>Options that collect what could not be read from text, to be reported with all other errors at start.</summary>
internal interface IBindingTarget
{
    List<string> BindingErrors { get; }
}
