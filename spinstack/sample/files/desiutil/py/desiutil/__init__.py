"""Sample code of spinstack's rehearsal (BSD-3-Clause), standing in for DESI's desiutil."""
